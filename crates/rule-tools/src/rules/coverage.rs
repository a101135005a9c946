//! Checks that each rule has tests. An alert needs a test where it fires and, unless it always fires, one where it is silent. A recorded
//! series needs a test that queries it.

use std::path::Path;

use anyhow::Result;
use devstack::report::Outcome;

use super::files::{Rule, RuleFile, TestFile, names, read};

/// The expression of an alert that always fires, and so needs no test where it is silent.
const ALWAYS: &str = "vector(1)";

/// Checks each rule of Prometheus' folder.
pub fn check(prometheus: &Path) -> Result<Outcome> {
    let (rules, tests) = (names(&prometheus.join("rules"))?, names(&prometheus.join("tests"))?);
    let mut gaps: Vec<String> =
        tests.iter().filter(|name| !rules.contains(name)).map(|name| format!("tests/{name}.yml has no rule file")).collect();
    let mut passed = 0;
    for name in rules {
        if !tests.contains(&name) {
            gaps.push(format!("tests/{name}.yml is missing"));
            continue;
        }
        let file = format!("{name}.yml");
        let rules: RuleFile = read(&prometheus.join("rules").join(&file))?;
        let tests: TestFile = read(&prometheus.join("tests").join(&file))?;
        for rule in rules.groups.iter().flat_map(|group| &group.rules) {
            let missing = missing(rule, &tests);
            passed += u64::from(missing.is_empty());
            gaps.extend(missing.into_iter().map(|case| format!("{file}: {} has no test where {case}", rule.name())));
        }
    }
    for gap in &gaps {
        eprintln!("{gap}");
    }
    Ok(Outcome { passed, failed: gaps.len() as u64, note: gaps.first().cloned().unwrap_or_default(), ..Outcome::default() })
}

/// The cases that a rule's tests lack.
fn missing(rule: &Rule, tests: &TestFile) -> Vec<&'static str> {
    if rule.record.is_some() {
        let is_queried = tests.tests.iter().flat_map(|test| &test.promql_expr_test).any(|test| mentions(&test.expr, rule.name()));
        return if is_queried { Vec::new() } else { vec!["it is queried"] };
    }
    let of_name = || tests.tests.iter().flat_map(|test| &test.alert_rule_test).filter(|test| test.alertname == rule.name());
    let fires = |test: &super::files::AlertTest| test.exp_alerts.iter().any(|alert| rule.raises(alert));
    let mut missing = Vec::new();
    if !of_name().any(fires) {
        missing.push("it fires");
    }
    if rule.expr.trim() != ALWAYS && of_name().all(fires) {
        missing.push("it is silent");
    }
    missing
}

/// Whether an expression uses the series of exactly this name.
#[must_use]
pub fn mentions(expression: &str, name: &str) -> bool {
    expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests_of(text: &str) -> TestFile {
        serde_norway::from_str(&format!("rule_files: []\nevaluation_interval: 15s\ntests:\n  - name: story\n    interval: 15s\n{text}"))
            .unwrap()
    }

    fn alert(expr: &str) -> Rule {
        let labels = [("reason".to_owned(), "rules".to_owned())].into();
        Rule { alert: Some("Broken".to_owned()), expr: expr.to_owned(), labels, ..Rule::default() }
    }

    #[test]
    fn an_alert_requires_a_test_where_it_fires_and_one_where_it_is_silent() {
        let nothing = tests_of("");
        assert_eq!(missing(&alert("up == 0"), &nothing), ["it fires", "it is silent"]);
        // Another rule of the same name fires.
        let other = "    alert_rule_test:\n      - {eval_time: 1m, alertname: Broken, exp_alerts: [{exp_labels: {reason: configuration}}]}";
        assert_eq!(missing(&alert("up == 0"), &tests_of(other)), ["it fires"]);
        let own = other.replace("configuration", "rules");
        assert_eq!(missing(&alert("up == 0"), &tests_of(&own)), ["it is silent"]);
        assert!(missing(&alert(ALWAYS), &tests_of(&own)).is_empty());
    }

    #[test]
    fn a_recorded_series_requires_a_test_that_queries_it() {
        let rule = Rule { record: Some("job:requests:rate5m".to_owned()), ..Rule::default() };
        let queried = "    promql_expr_test:\n      - {expr: 'job:requests:rate5m{job=\"a\"}', eval_time: 1m}";
        assert!(missing(&rule, &tests_of(queried)).is_empty());
        let longer = queried.replace("rate5m", "rate5m_sum");
        assert_eq!(missing(&rule, &tests_of(&longer)), ["it is queried"]);
    }
}
