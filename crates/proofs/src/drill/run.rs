//! Runs drills, from the cause to the notification that the alert has resolved.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use devstack::process::{check_interrupt, wait_until};
use devstack::report::{Outcome, Report};

use super::test_stack::TestStack;
use super::watch::{Key, Times, Watch, firing, is};
use super::{Drill, Mitigation};

/// Time limit from a cause to its notification, and from the mitigation to the notification of the resolution, at speed 1. The times in
/// docs/ALERTS.md, multiplied by the speed given there, stay below this limit.
const LONGEST: Duration = Duration::from_hours(2);
/// Extra time for processes to start and respond, independent of the speed.
const SLACK: Duration = Duration::from_secs(45);

/// The result of a drill.
pub struct Drilled {
    /// The drilled alert.
    pub alert: Key,
    /// The injected failure.
    pub cause: &'static str,
    /// The fix.
    pub mitigation: &'static str,
    /// When the alert fired, notified and resolved.
    pub times: Times,
}

/// Runs some drills at the same time and adds a row for each alert to the report.
pub fn batch(report: &mut Report, test: &mut TestStack, drills: &[&Drill], speed: u32) -> Result<Vec<Drilled>> {
    let limit = LONGEST / speed + SLACK;
    let alerts: Vec<Key> = drills.iter().flat_map(|drill| drill.alerts).copied().collect();
    eprintln!("--- {}", alerts.join(", "));
    let start = Instant::now();
    let outcome = play(test, drills, &alerts, limit);
    check_interrupt()?;
    // Leftovers of a drill must not affect the next one.
    test.resolved();
    test.end_faults()?;
    let (times, trouble) = match outcome {
        Ok(times) => (times, None),
        Err((times, error)) => (times, Some(format!("{error:#}"))),
    };
    if let Some(trouble) = &trouble {
        eprintln!("    {trouble}");
    }
    let mut drilled = Vec::new();
    for drill in drills {
        for alert in drill.alerts {
            let times = times.get(alert).copied().unwrap_or_default();
            let note = describe(times);
            eprintln!("    {alert}: {note}");
            let outcome = match &trouble {
                _ if times.are_complete() => Outcome::passed().with_note(note),
                Some(trouble) => Outcome::failed(format!("{note}; {trouble}")),
                None => Outcome::failed(note),
            };
            report.add(*alert, start.elapsed(), outcome);
            drilled.push(Drilled { alert, cause: drill.cause, mitigation: drill.mitigation, times });
        }
    }
    Ok(drilled)
}

type AlertTimes = BTreeMap<Key, Times>;

fn play(
    test: &mut TestStack,
    drills: &[&Drill],
    alerts: &[Key],
    limit: Duration,
) -> std::result::Result<AlertTimes, (AlertTimes, anyhow::Error)> {
    let quiet = |test: &TestStack| Ok(!firing(test)?.iter().any(|labels| alerts.iter().any(|alert| is(alert, labels))));
    let begun = wait_until("the alerts are inactive before the drill", limit, || quiet(test)).and_then(|()| Watch::new(test));
    let mut watch = begun.map_err(|error| (AlertTimes::new(), error))?;
    let mut mitigations = Vec::new();
    let injected = inject(test, drills, &mut watch, &mut mitigations);
    let fired = injected.and_then(|()| {
        wait_until("every alert has fired and notified", limit, || {
            watch.poll(test)?;
            Ok(watch.times().values().all(|times| times.are_begun()))
        })
    });
    // The causes are removed even after a failure.
    let mut mitigated = Ok(());
    for (drill, mitigation) in mitigations {
        let done = mitigation(test);
        watch.mitigated(drill.alerts);
        mitigated = mitigated.and(done);
    }
    let ended = fired.and(mitigated).and_then(|()| {
        wait_until("every alert has resolved and notified", limit, || {
            watch.poll(test)?;
            Ok(watch.times().values().all(|times| times.are_complete()))
        })
    });
    let times = watch.times().clone();
    match ended {
        Ok(()) => Ok(times),
        Err(error) => Err((times, error)),
    }
}

fn inject<'a>(test: &mut TestStack, drills: &[&'a Drill], watch: &mut Watch, mitigations: &mut Vec<(&'a Drill, Mitigation)>) -> Result<()> {
    for drill in drills {
        eprintln!("    {}", drill.cause);
        watch.begin(drill.alerts);
        mitigations.push((drill, (drill.inject)(test)?));
    }
    Ok(())
}

fn describe(times: Times) -> String {
    let Times { firing, notified, mitigated, resolved, resolution_notified, cannot_notify } = times;
    let since = |from: Option<Duration>, to: Option<Duration>| {
        to.map_or_else(|| "never".to_owned(), |to| format!("after {:.1} s", to.saturating_sub(from.unwrap_or_default()).as_secs_f64()))
    };
    if cannot_notify {
        return format!("fires {}, cannot notify; after the mitigation: resolves {}", since(None, firing), since(mitigated, resolved));
    }
    format!(
        "fires {}, notifies {}; after the mitigation: resolves {}, notifies {}",
        since(None, firing),
        since(None, notified),
        since(mitigated, resolved),
        since(mitigated, resolution_notified)
    )
}
