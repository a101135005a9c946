//! What every dashboard keeps to: the rules of Grafana's own linter as far as they fit one Prometheus with fixed jobs, and ours.
//!
//! A rule answers what is wrong with a dashboard. `sample` is one with which nothing is wrong; beside each rule is shown that it finds what
//! is changed in that. What the queries ask for exists: `metrics`.

mod causes;
mod identity;
mod layout;
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

/// Answers what is wrong with a dashboard.
type Rule = fn(&Value) -> Vec<String>;

/// Holds every committed dashboard to a rule.
fn hold(rule: Rule) {
    let dashboards = dashboards();
    let faults =
        dashboards.iter().flat_map(|(name, dashboard)| rule(dashboard).into_iter().map(move |fault| format!("{name}.json: {fault}")));
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A rule is content with the sample, and finds what was changed in it.
fn finds(rule: Rule, place: &str, changed: Value, fault: &str) {
    let mut dashboard = sample();
    assert_eq!(rule(&dashboard), [""; 0]);
    *dashboard.pointer_mut(place).unwrap_or_else(|| panic!("the sample has {place}")) = changed;
    assert_eq!(rule(&dashboard), [fault]);
}

/// All of a dashboard's panels, those in closed rows, too.
fn all(dashboard: &Value) -> Vec<&Value> {
    items(&dashboard["panels"]).flat_map(|panel| [panel].into_iter().chain(items(&panel["panels"]))).collect()
}

/// The panels that show something.
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

/// A text, empty where there is none.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
