//! Drills from their cause to the word that it is over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::bench::Bench;
use super::watch::{Key, Times, Watch, firing, is};
use super::{Drill, Mitigation};
use crate::process::{check_interrupt, wait_until};
use crate::report::{Outcome, Report};

/// Longest time from a cause to the word of it, and from its end to the word of that, at speed 1: above the longest `for` with the
/// longest window of those alerts that are drilled.
const LONGEST: Duration = Duration::from_hours(2);
/// What programs need beside it, at any speed.
const SLACK: Duration = Duration::from_secs(45);

/// A drill that was run.
pub struct Drilled {
    /// The alert.
    pub alert: Key,
    /// What was done.
    pub cause: &'static str,
    /// What was done about it.
    pub mitigation: &'static str,
    /// What became of it.
    pub times: Times,
}

/// Runs some drills at the same time and adds a row for each alert to the report.
pub fn batch(report: &mut Report, bench: &mut Bench, drills: &[&Drill], speed: u32) -> Result<Vec<Drilled>> {
    let limit = LONGEST / speed + SLACK;
    let alerts: Vec<Key> = drills.iter().flat_map(|drill| drill.alerts).copied().collect();
    eprintln!("--- {}", alerts.join(", "));
    let start = Instant::now();
    let outcome = play(bench, drills, &alerts, limit);
    check_interrupt()?;
    // What a drill left behind must not spoil the next.
    bench.resolved();
    bench.end_faults()?;
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

type Seen = BTreeMap<Key, Times>;

fn play(bench: &mut Bench, drills: &[&Drill], alerts: &[Key], limit: Duration) -> std::result::Result<Seen, (Seen, anyhow::Error)> {
    let quiet = |bench: &Bench| Ok(!firing(bench)?.iter().any(|labels| alerts.iter().any(|alert| is(alert, labels))));
    let begun = wait_until("they are quiet before", limit, || quiet(bench)).and_then(|()| Watch::new(bench));
    let mut watch = begun.map_err(|error| (Seen::new(), error))?;
    let mut mitigations = Vec::new();
    let injected = inject(bench, drills, &mut watch, &mut mitigations);
    let fired = injected.and_then(|()| {
        wait_until("every alert is told", limit, || {
            watch.look(bench)?;
            Ok(watch.times().values().all(|times| times.are_begun()))
        })
    });
    // Whatever happened: its cause goes.
    let mut mitigated = Ok(());
    for (drill, mitigation) in mitigations {
        let done = mitigation(bench);
        watch.mitigated(drill.alerts);
        mitigated = mitigated.and(done);
    }
    let ended = fired.and(mitigated).and_then(|()| {
        wait_until("every alert is taken back", limit, || {
            watch.look(bench)?;
            Ok(watch.times().values().all(|times| times.are_complete()))
        })
    });
    let seen = watch.times().clone();
    match ended {
        Ok(()) => Ok(seen),
        Err(error) => Err((seen, error)),
    }
}

fn inject<'a>(bench: &mut Bench, drills: &[&'a Drill], watch: &mut Watch, mitigations: &mut Vec<(&'a Drill, Mitigation)>) -> Result<()> {
    for drill in drills {
        eprintln!("    {}", drill.cause);
        watch.begin(drill.alerts);
        mitigations.push((drill, (drill.inject)(bench)?));
    }
    Ok(())
}

fn describe(times: Times) -> String {
    let Times { firing, told, mitigated, resolved, taken_back, untold } = times;
    let since = |from: Option<Duration>, to: Option<Duration>| {
        to.map_or_else(|| "never".to_owned(), |to| format!("{:.1} s", to.saturating_sub(from.unwrap_or_default()).as_secs_f64()))
    };
    if untold {
        return format!(
            "fires after {}, cannot be told, resolved {} after the mitigation",
            since(None, firing),
            since(mitigated, resolved)
        );
    }
    format!(
        "fires after {}, told after {}, resolved {} after the mitigation, told after {}",
        since(None, firing),
        since(None, told),
        since(mitigated, resolved),
        since(mitigated, taken_back)
    )
}
