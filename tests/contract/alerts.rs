//! Every alert has labels, texts, a runbook, a dashboard, tests and a drill; every recorded series has a test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::files::{alerts, dashboards, items, root, rule_tests, rules, text};

/// `none` is the severity of the dead man's switch.
const SEVERITIES: [&str; 4] = ["critical", "warning", "info", "none"];
/// Links begin with configured base URLs: a fixed address would break when a port changes.
const DASHBOARD: &str = "{{ $externalLabels.grafana_url }}/d/";
const RUNBOOK: &str = "{{ $externalLabels.runbooks_url }}/";

#[test]
fn every_alert_has_a_severity_and_a_component() {
    for rule in alerts() {
        let (alert, labels) = (&rule["alert"], &rule["labels"]);
        assert!(labels["severity"].as_str().is_some_and(|severity| SEVERITIES.contains(&severity)), "{alert} must have a severity");
        assert!(labels["component"].as_str().is_some_and(|component| !component.is_empty()), "{alert} must have a component");
    }
}

#[test]
fn every_alert_has_a_summary_a_description_a_runbook_and_a_dashboard() {
    let dashboards: BTreeSet<String> =
        dashboards().iter().filter_map(|(_, dashboard)| dashboard["uid"].as_str().map(str::to_owned)).collect();
    for rule in alerts() {
        let alert = rule["alert"].as_str().unwrap();
        let annotation = |name: &str| rule["annotations"][name].as_str().unwrap_or_default();
        // A Slack message about several alerts has their common summary as its title. With values, the summaries would differ.
        assert!(!annotation("summary").is_empty() && !annotation("summary").contains("{{"), "{alert} must have a summary without values");
        assert!(!annotation("description").is_empty(), "{alert} must have a description");
        assert_eq!(annotation("runbook_url"), format!("{RUNBOOK}{alert}"), "{alert} must link to its runbook");
        assert!(root().join(format!("monitoring/runbooks/{alert}.md")).is_file(), "{alert} must have a runbook");
        let uid = annotation("dashboard_url").strip_prefix(DASHBOARD).and_then(|rest| rest.split(['?', '/']).next());
        assert!(uid.is_some_and(|uid| dashboards.contains(uid)), "{alert} must link to an existing dashboard");
    }
}

#[test]
fn every_alert_has_a_test_where_it_fires_and_one_where_it_does_not() {
    let tests = rule_tests();
    let cases: Vec<_> = tests.iter().flat_map(|test| items(&test["alert_rule_test"])).collect();
    for rule in alerts().iter().filter(|rule| rule["expr"] != "vector(1)") {
        let of_alert: Vec<_> = cases.iter().filter(|case| case["alertname"] == rule["alert"]).collect();
        assert!(of_alert.iter().any(|case| items(&case["exp_alerts"]).next().is_some()), "{} must fire in a test", rule["alert"]);
        assert!(of_alert.iter().any(|case| items(&case["exp_alerts"]).next().is_none()), "{} must be silent in a test", rule["alert"]);
    }
}

/// The variants of alerts. Several rules may have the same name: a variant is this name with the values of the labels that distinguish the
/// rules. The labels of a burn rate's windows do not count: the two burn rates of a severity notify the same receivers for the same reason.
fn variants(rules: &[Value]) -> BTreeSet<(String, BTreeSet<String>)> {
    let name = |rule: &Value| rule["alert"].as_str().unwrap().to_owned();
    let labels = |rule: &Value| -> BTreeMap<String, String> {
        let labels = rule["labels"].as_object().into_iter().flatten();
        labels.map(|(label, value)| (label.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    };
    let variant = |rule: &Value| {
        let of_name: Vec<_> = rules.iter().filter(|other| name(other) == name(rule)).map(labels).collect();
        let own = labels(rule)
            .into_iter()
            .filter(|(label, value)| !label.ends_with("_window") && of_name.iter().any(|other| other.get(label) != Some(value)));
        (name(rule), own.map(|(_, value)| value).collect())
    };
    rules.iter().map(variant).collect()
}

#[test]
fn every_variant_of_every_alert_is_in_the_results_of_the_drills() {
    let account = text("docs/ALERTS.md");
    let is_drilled = |name: &str, values: &BTreeSet<String>| {
        let row = format!("[{name}](../monitoring/runbooks/{name}.md)");
        let cells = account.lines().filter_map(|line| Some(line.split_once(&row)?.1.split(" | ").next()?.trim_matches([' ', '(', ')'])));
        let mut drilled = cells.map(|cell| cell.split(", ").collect::<BTreeSet<_>>());
        drilled.any(|drilled| values.iter().all(|value| drilled.contains(value.as_str())))
    };
    let missing: Vec<_> = variants(&alerts()).into_iter().filter(|(name, values)| !is_drilled(name, values)).collect();
    assert!(missing.is_empty(), "no drill in docs/ALERTS.md for {missing:?}; run cargo xtask drill");
}

#[test]
fn variants_differ_by_labels_other_than_windows() {
    let rule = |labels: Value| serde_json::json!({ "alert": "Burn", "labels": labels });
    let rules = [
        rule(serde_json::json!({ "slo": "a", "severity": "critical", "component": "slo", "long_window": "1h" })),
        rule(serde_json::json!({ "slo": "a", "severity": "critical", "component": "slo", "long_window": "6h" })),
        rule(serde_json::json!({ "slo": "a", "severity": "warning", "component": "slo", "long_window": "1d" })),
        rule(serde_json::json!({ "slo": "b", "severity": "warning", "component": "slo", "long_window": "1d" })),
        serde_json::json!({ "alert": "Alone", "labels": { "severity": "critical" } }),
    ];
    let expected = [("Burn", ["a", "critical"].as_slice()), ("Burn", &["a", "warning"]), ("Burn", &["b", "warning"]), ("Alone", &[])];
    let expected: BTreeSet<_> =
        expected.into_iter().map(|(name, values)| (name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())).collect();
    assert_eq!(variants(&rules), expected);
}

#[test]
fn every_recorded_series_is_queried_by_name_in_a_test() {
    let tests = rule_tests();
    let asked: Vec<&str> =
        tests.iter().flat_map(|test| items(&test["promql_expr_test"])).filter_map(|case| case["expr"].as_str()).collect();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    for rule in rules() {
        let Some(record) = rule["record"].as_str() else { continue };
        assert!(
            asked.iter().any(|expression| expression.split(|c| !is_name(c)).any(|word| word == record)),
            "{record} must be queried in a test"
        );
    }
}
