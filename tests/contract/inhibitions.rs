//! Inhibition rules: no rule of Alertmanager may let an alert about one target inhibit an alert about another. `cargo xtask notifications`
//! tests a running Alertmanager with the lines of inhibitions.txt.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::files::{alerts, items, root, rule_tests, text, yaml};

/// Labels that identify an alert's Prometheus. A rule without them in `equal` would also inhibit alerts of other deployments.
const ORIGIN: [&str; 2] = ["cluster", "environment"];
/// Labels that describe an alert or its observation rather than its target. `job` is among them because `instance` names the target more
/// precisely.
const NOT_A_TARGET: [&str; 10] =
    ["severity", "component", "service", "job", "long_window", "short_window", "quantile", "sign", "reason", "dependency"];

type Matchers = Vec<(String, String, String)>;

/// The faults of a rule, given the labels of each alert.
fn faults(rule: &Value, labels: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let side = |key: &str| matchers(&rule[key]);
    let (source, target) = (side("source_matchers"), side("target_matchers"));
    let equal: BTreeSet<&str> = items(&rule["equal"]).filter_map(Value::as_str).collect();
    let mut faults = Vec::new();
    for origin in ORIGIN.into_iter().filter(|origin| !equal.contains(origin)) {
        faults.push(format!("may inhibit alerts of another {origin}"));
    }
    for label in equal.iter().filter(|label| !ORIGIN.contains(label)) {
        let demands = |side: &Matchers| side.iter().any(|(name, operator, value)| name == label && operator == "!=" && value.is_empty());
        if !demands(&source) || !demands(&target) {
            faults.push(format!("does not require the label {label} of both alerts"));
        }
    }
    for source in names(&source) {
        for target in names(&target) {
            let (Some(of_source), Some(of_target)) = (labels.get(&source), labels.get(&target)) else {
                faults.push(format!("{source} or {target} is not an alert"));
                continue;
            };
            let is_identity = |label: &&&str| !ORIGIN.contains(label) && !NOT_A_TARGET.contains(label);
            for label in equal.iter().filter(is_identity) {
                let lacking = [(&source, of_source), (&target, of_target)].into_iter().filter(|(_, labels)| !labels.contains(*label));
                faults.extend(lacking.map(|(alert, _)| format!("{alert} has no {label}, so {source} never inhibits {target}")));
            }
            for label in of_source.iter().filter(|label| !equal.contains(label.as_str())) {
                let what = if of_target.contains(label) { "of another" } else { "without an" };
                faults.push(format!("{source} inhibits {target} {what} {label}"));
            }
        }
    }
    faults
}

/// Parses matchers such as `name=~"value"`.
fn matchers(list: &Value) -> Matchers {
    let read = |matcher: &Value| {
        let text = matcher.as_str()?;
        let (head, value) = text.split_once('"')?;
        let name = head.trim_end_matches(['=', '!', '~']);
        Some((name.to_owned(), head[name.len()..].to_owned(), value.trim_end_matches('"').to_owned()))
    };
    items(list).map(|matcher| read(matcher).unwrap_or_else(|| panic!("{matcher} is not a matcher"))).collect()
}

/// The alerts that matchers name; the text `any alert` if they name none or only exclude some.
fn names(matchers: &Matchers) -> Vec<String> {
    let positive = matchers.iter().filter(|(name, operator, _)| name == "alertname" && !operator.starts_with('!'));
    let names: Vec<String> = positive.flat_map(|(_, _, value)| value.split('|').map(str::to_owned)).collect();
    if names.is_empty() { vec!["any alert".to_owned()] } else { names }
}

/// The labels by which each alert identifies its target, taken from the tests of the rules.
fn targets() -> BTreeMap<String, BTreeSet<String>> {
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for case in rule_tests().iter().flat_map(|test| items(&test["alert_rule_test"])) {
        let known = labels.entry(case["alertname"].as_str().unwrap().to_owned()).or_default();
        for alert in items(&case["exp_alerts"]) {
            let names = alert["exp_labels"].as_object().into_iter().flat_map(|labels| labels.keys());
            known.extend(names.filter(|name| !NOT_A_TARGET.contains(&name.as_str())).cloned());
        }
    }
    labels
}

fn rules() -> Vec<Value> {
    let configuration = yaml(&root().join("monitoring/alertmanager/alertmanager.yml"));
    items(&configuration["inhibit_rules"]).cloned().collect()
}

#[test]
fn an_alert_inhibits_no_alert_of_another_target() {
    let labels = targets();
    let found: Vec<String> = rules().iter().flat_map(|rule| faults(rule, &labels)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_pair_of_alerts_has_a_case_with_inhibition_and_one_without() {
    let table = text("monitoring/alertmanager/inhibitions.txt");
    let tried = |source: &str, verb: &str, target: &str| {
        table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(verb)).any(|(left, right)| {
            let has = |side: &str, name: &str| side.split_whitespace().next().is_some_and(|names| names.split('|').any(|one| one == name));
            has(left, source) && has(right, target)
        })
    };
    for rule in rules() {
        for source in names(&matchers(&rule["source_matchers"])) {
            for target in names(&matchers(&rule["target_matchers"])) {
                assert!(tried(&source, " silences ", &target), "inhibitions.txt must have a line where {source} silences {target}");
                assert!(tried(&source, " spares ", &target), "inhibitions.txt must have a line where {source} spares {target}");
            }
        }
    }
    let alerts: BTreeSet<String> = alerts().iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let named = line.split(" silences ").flat_map(|side| side.split(" spares ")).filter_map(|side| side.split_whitespace().next());
        for name in named.flat_map(|names| names.split('|')) {
            assert!(alerts.contains(name), "inhibitions.txt: no alert {name}");
        }
    }
}

#[test]
fn a_rule_that_omits_the_target_is_reported() {
    let labels = BTreeMap::from([("Worse", vec!["instance"]), ("Bad", vec!["instance", "table"]), ("All", vec![])]);
    let labels = labels.into_iter().map(|(name, labels)| (name.to_owned(), labels.into_iter().map(str::to_owned).collect())).collect();
    let rule = |source: &[&str], target: &[&str], equal: &[&str]| {
        let rule = json!({ "source_matchers": source, "target_matchers": target, "equal": equal });
        faults(&rule, &labels)
    };
    let (worse, bad, all) = (r#"alertname="Worse""#, r#"alertname="Bad""#, r#"alertname=~"All""#);
    let there = r#"instance!="""#;
    assert_eq!(rule(&[worse, there], &[bad, there], &["cluster", "environment", "instance"]), [""; 0]);
    assert_eq!(rule(&[all], &[bad], &["cluster", "environment"]), [""; 0]);
    assert_eq!(rule(&[all], &[bad], &["cluster"]), ["may inhibit alerts of another environment"]);
    assert_eq!(rule(&[worse], &[bad], &["cluster", "environment"]), ["Worse inhibits Bad of another instance"]);
    assert_eq!(rule(&[worse], &[all], &["cluster", "environment"]), ["Worse inhibits All without an instance"]);
    let missing = rule(&[worse, there], &[bad], &["cluster", "environment", "instance"]);
    assert_eq!(missing, ["does not require the label instance of both alerts"]);
    let table = r#"table!="""#;
    let without = rule(&[worse, there, table], &[bad, there, table], &["cluster", "environment", "instance", "table"]);
    assert_eq!(without, ["Worse has no table, so Worse never inhibits Bad"]);
    let any = rule(&[r#"severity="critical""#], &[bad], &["cluster", "environment"]);
    assert_eq!(any, ["any alert or Bad is not an alert"]);
}
