//! Rules for every dashboard: our own, and those rules of Grafana's dashboard linter that suit a single Prometheus with fixed jobs.
//!
//! A rule returns the faults of a dashboard. `sample` is a dashboard without faults; the tests change one detail of the
//! sample and assert that the rule finds the change. `metrics` checks that the queried metrics exist.

mod causes;
mod explore;
mod identity;
mod layout;
mod limits;
mod links;
mod load;
mod panels;
mod provisioning;
mod queries;
mod required;
mod sample;
mod variables;

use serde_json::Value;

use crate::files::{dashboards, items};
use sample::sample;

/// Returns the faults of a dashboard.
type Rule = fn(&Value) -> Vec<String>;

/// Asserts that a rule finds no fault in any committed dashboard.
fn hold(rule: Rule) {
    let dashboards = dashboards();
    let faults =
        dashboards.iter().flat_map(|(name, dashboard)| rule(dashboard).into_iter().map(move |fault| format!("{name}.json: {fault}")));
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Asserts that a rule accepts the sample, and finds exactly this fault after a change at one place.
fn finds(rule: Rule, place: &str, changed: Value, fault: &str) {
    let mut dashboard = sample();
    assert_eq!(rule(&dashboard), [""; 0]);
    *dashboard.pointer_mut(place).unwrap_or_else(|| panic!("the sample has no {place}")) = changed;
    assert_eq!(rule(&dashboard), [fault]);
}

/// All of a dashboard's panels, including those in collapsed rows.
fn all(dashboard: &Value) -> Vec<&Value> {
    items(&dashboard["panels"]).flat_map(|panel| [panel].into_iter().chain(items(&panel["panels"]))).collect()
}

/// The panels that show data.
fn shown(dashboard: &Value) -> Vec<&Value> {
    all(dashboard).into_iter().filter(|panel| panel["type"] != "row" && panel["type"] != "text").collect()
}

/// Every query of every panel, with the panel's title.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let of = |panel: &Value| {
        let title = title(panel);
        items(&panel["targets"]).map(|target| (title.clone(), text(&target["expr"]))).collect::<Vec<_>>()
    };
    shown(dashboard).into_iter().flat_map(of).collect()
}

fn title(panel: &Value) -> String {
    match panel["title"].as_str() {
        Some(title) if !title.is_empty() => title.to_owned(),
        _ => format!("panel {}", panel["id"]),
    }
}

/// The text of a value; empty if the value is not a text.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
