//! The first row of every dashboard has data soon after the start of a stack, so that nobody who opens Grafana sees an empty panel there.
//! `proof` checks all rows of the dashboards, on a stack of its own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use devstack::ports::{MAX_REPLICAS, Port};
use devstack::process::rest;
use devstack::report::{Outcome, Report};
use devstack::speed::Pace;
use devstack::stack::{SLOT, fixed_ports};
use rule_tools::dashboards::{self, Variables};

use super::query::{self, Query};
use super::shown::now;

/// Time between two looks at the panels that are still empty.
const POLL: Duration = Duration::from_secs(2);

/// A panel of a first row.
struct Awaited {
    name: String,
    queries: Vec<Query>,
}

/// Waits until every panel of every first row shows data in the running stack of `cargo xtask up`, at most for `within`. Adds one row per
/// panel; a panel that is still empty fails.
pub fn check(report: &mut Report, within: Duration) -> Result<()> {
    ensure!(SLOT.ready_text()?.is_some(), "no stack runs in this checkout: start one with `cargo xtask up --detach`");
    let prometheus = fixed_ports(MAX_REPLICAS)?.url(Port::Prometheus)?;
    let pace = Pace::of(&dashboards::prometheus()?, 1);
    let trouble = |panel: &Awaited| {
        let to = now();
        panel.queries.iter().find_map(|query| query.trouble(&prometheus, to, pace.interval()))
    };
    wait(panels(pace)?, within, POLL, trouble, |name, took, outcome| report.add(name, took, outcome))
}

/// The panels of the first rows of all dashboards.
fn panels(pace: Pace) -> Result<Vec<Awaited>> {
    let mut panels = Vec::new();
    for dashboard in dashboards::committed()? {
        let variables = Variables::of(&dashboard, pace).with_context(|| dashboard.uid.clone())?;
        let first = dashboard.first_row();
        ensure!(!first.is_empty(), "{} has no first row", dashboard.title);
        for panel in first {
            panels.push(Awaited { name: query::name(&dashboard, panel), queries: Query::of(&dashboard, panel, &variables)? });
        }
    }
    Ok(panels)
}

/// Looks at the panels until none is in trouble or `within` has passed, and reports each of them.
fn wait(
    panels: Vec<Awaited>,
    within: Duration,
    poll: Duration,
    trouble: impl Fn(&Awaited) -> Option<String>,
    mut tell: impl FnMut(String, Duration, Outcome),
) -> Result<()> {
    let start = Instant::now();
    let mut empty = panels;
    loop {
        let mut troubles = Vec::new();
        let took = start.elapsed();
        for panel in std::mem::take(&mut empty) {
            match trouble(&panel) {
                None => tell(panel.name, took, Outcome::passed()),
                Some(why) => {
                    troubles.push(why);
                    empty.push(panel);
                }
            }
        }
        if empty.is_empty() || took >= within {
            for (panel, why) in empty.into_iter().zip(troubles) {
                eprintln!("still empty: {}: {why}", panel.name);
                tell(panel.name, took, Outcome::failed(format!("still empty after {} s: {why}", took.as_secs())));
            }
            return Ok(());
        }
        rest(poll)?;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn panel(name: &str) -> Awaited {
        Awaited { name: name.to_owned(), queries: Vec::new() }
    }

    /// The outcomes of two panels, by name, in the order in which they were reported.
    fn outcomes(within: Duration, trouble: impl Fn(&Awaited) -> Option<String>) -> Vec<(String, Outcome)> {
        let mut outcomes = Vec::new();
        wait(vec![panel("a"), panel("b")], within, Duration::ZERO, trouble, |name, _, outcome| outcomes.push((name, outcome))).unwrap();
        outcomes
    }

    #[test]
    fn a_panel_that_stays_empty_fails_by_name_and_the_others_pass() {
        let found = outcomes(Duration::ZERO, |panel| (panel.name == "b").then(|| "query A is empty".to_owned()));
        let failed = Outcome::failed("still empty after 0 s: query A is empty");
        assert_eq!(found, [("a".to_owned(), Outcome::passed()), ("b".to_owned(), failed)]);
    }

    #[test]
    fn a_panel_that_gets_data_in_time_passes_and_is_not_asked_again() {
        let asked = Cell::new(0);
        let found = outcomes(Duration::from_mins(1), |panel| {
            asked.set(asked.get() + 1);
            (panel.name == "a" && asked.get() < 5).then(|| "query A is empty".to_owned())
        });
        assert_eq!(found, [("b".to_owned(), Outcome::passed()), ("a".to_owned(), Outcome::passed())]);
        // Twice in the first round, then only the empty one, three times more.
        assert_eq!(asked.get(), 5);
    }

    #[test]
    fn every_dashboard_has_panels_in_its_first_row() {
        let pace = Pace::of(&dashboards::prometheus().unwrap(), 1);
        let panels = panels(pace).unwrap();
        for dashboard in dashboards::committed().unwrap() {
            let of_dashboard = panels.iter().filter(|panel| panel.name.starts_with(&format!("{} / ", dashboard.title)));
            assert!(of_dashboard.count() >= 4, "{}", dashboard.title);
        }
    }
}
