//! What belongs to an alert: labels, texts, a runbook, a dashboard, and tests; and to a recorded series, a test.

use std::collections::BTreeSet;

use crate::files::{alerts, dashboards, items, rule_tests, rules, text};

/// `none` is the dead man's switch's.
const SEVERITIES: [&str; 4] = ["critical", "warning", "info", "none"];
const DASHBOARD: &str = "http://localhost:3001/d/";

#[test]
fn every_alert_says_how_bad_it_is_and_of_what_it_is_part() {
    for rule in alerts() {
        let (alert, labels) = (&rule["alert"], &rule["labels"]);
        assert!(labels["severity"].as_str().is_some_and(|severity| SEVERITIES.contains(&severity)), "{alert} has a severity");
        assert!(labels["component"].as_str().is_some_and(|component| !component.is_empty()), "{alert} has a component");
    }
}

#[test]
fn every_alert_tells_people_what_where_and_what_to_do() {
    let dashboards: BTreeSet<String> =
        dashboards().iter().filter_map(|(_, dashboard)| dashboard["uid"].as_str().map(str::to_owned)).collect();
    for rule in alerts() {
        let alert = rule["alert"].as_str().unwrap();
        let said = |name: &str| rule["annotations"][name].as_str().unwrap_or_default();
        // It is the subject of a mail about many alerts.
        assert!(!said("summary").is_empty() && !said("summary").contains("{{"), "{alert} has a summary without values");
        assert!(!said("description").is_empty(), "{alert} has a description");
        assert_eq!(said("runbook_url"), format!("monitoring/runbooks/{alert}.md"), "{alert} names its runbook");
        let uid = said("dashboard_url").strip_prefix(DASHBOARD).and_then(|rest| rest.split(['?', '/']).next());
        assert!(uid.is_some_and(|uid| dashboards.contains(uid)), "{alert} names a dashboard that is there");
    }
}

#[test]
fn every_alert_has_a_test_where_it_fires_and_one_where_it_does_not() {
    let tests = rule_tests();
    let cases: Vec<_> = tests.iter().flat_map(|test| items(&test["alert_rule_test"])).collect();
    for rule in alerts().iter().filter(|rule| rule["expr"] != "vector(1)") {
        let of_alert: Vec<_> = cases.iter().filter(|case| case["alertname"] == rule["alert"]).collect();
        assert!(of_alert.iter().any(|case| items(&case["exp_alerts"]).next().is_some()), "{} fires in a test", rule["alert"]);
        assert!(of_alert.iter().any(|case| items(&case["exp_alerts"]).next().is_none()), "{} is silent in a test", rule["alert"]);
    }
}

#[test]
fn every_alert_was_drilled() {
    let account = text("docs/ALERTS.md");
    for rule in alerts() {
        let alert = rule["alert"].as_str().unwrap();
        assert!(account.contains(&format!("[{alert}](../monitoring/runbooks/{alert}.md)")), "cargo xtask drill --all has drilled {alert}");
    }
}

#[test]
fn every_recorded_series_is_asked_for_by_name_in_a_test() {
    let tests = rule_tests();
    let asked: Vec<&str> =
        tests.iter().flat_map(|test| items(&test["promql_expr_test"])).filter_map(|case| case["expr"].as_str()).collect();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    for rule in rules() {
        let Some(record) = rule["record"].as_str() else { continue };
        assert!(asked.iter().any(|expression| expression.split(|c| !is_name(c)).any(|word| word == record)), "{record} is asked for");
    }
}
