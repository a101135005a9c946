//! Finds the mutants of a rule file that its tests do not detect. A mutant runs only against the tests of its own rule, together with all
//! recording rules of the file, because it may use their series.
//!
//! A test belongs to an alert if it names the alert. Exception: the test expects alerts of that name, but all of them have the labels of
//! another rule. A test belongs to a recorded series if it queries the series.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use devstack::paths;
use devstack::process::capture;
use devstack::report::Outcome;
use devstack::tools::PROMTOOL;
use serde::Serialize;

use super::mutant::Mutant;
use super::{equivalent, pool};
use crate::checks::tool;
use crate::rules::{Expected, Rule, RuleFile, Test, TestFile, mentions, read};

/// A rule with one change or none, and the rules and tests that promtool runs for it.
struct Case {
    rule: String,
    change: Option<String>,
    rules: RuleFile,
    tests: TestFile,
}

/// Tries every mutant of a rule file.
pub fn run(prometheus: &Path, name: &str) -> Result<Outcome> {
    let file = format!("{name}.yml");
    let rules: RuleFile = read(&prometheus.join("rules").join(&file))?;
    let tests: TestFile = read(&prometheus.join("tests").join(&file))?;
    let cases = cases(&file, &rules, &tests);
    let folder = paths::temporary("mutants")?;
    are_valid(folder.path(), &cases)?;
    let numbered: Vec<(usize, &Case)> = cases.iter().enumerate().collect();
    let undetected = pool::each(&numbered, |(number, case)| passes(&folder.path().join(number.to_string()), case))?;

    let mut survivors = Vec::new();
    let mut detected = 0;
    for (case, undetected) in cases.iter().zip(undetected) {
        match &case.change {
            None => ensure!(undetected, "the tests of {} fail without any change", case.rule),
            Some(change) if undetected => survivors.push((case.rule.clone(), change.clone())),
            Some(_) => detected += 1,
        }
    }
    Ok(judge(name, detected, survivors, &equivalent::of(prometheus, name)?))
}

/// Mutants as pairs of a rule and a change.
type Mutants = Vec<(String, String)>;

fn judge(name: &str, detected: u64, survivors: Mutants, equivalent: &Mutants) -> Outcome {
    let wrong: Vec<_> = equivalent.iter().filter(|listed| !survivors.contains(listed)).collect();
    for (rule, change) in &wrong {
        println!("{name}: {rule}: equivalent.yml lists {change}, which does not exist or is detected by a test");
    }
    let (listed, alive): (Mutants, Mutants) = survivors.into_iter().partition(|mutant| equivalent.contains(mutant));
    for (rule, change) in &alive {
        println!("{name}: {rule}: no test detects {change}");
    }
    let failed = (alive.len() + wrong.len()) as u64;
    let note = format!("{detected} detected, {} equivalent, {} undetected", listed.len(), alive.len());
    Outcome { passed: detected + listed.len() as u64, failed, note, ..Outcome::default() }
}

/// Each rule unchanged, and each of its mutants.
fn cases(file: &str, rules: &RuleFile, tests: &TestFile) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
    for (group, at) in rules.groups.iter().enumerate().flat_map(|(group, of)| (0..of.rules.len()).map(move |at| (group, at))) {
        let rule = &rules.groups[group].rules[at];
        let narrowed = narrow(file, tests, rule);
        let case = |mutant: &Rule, change| {
            let mut all = rules.clone();
            all.groups[group].rules[at] = mutant.clone();
            for group in &mut all.groups {
                group.rules.retain(|other| other.record.is_some() || other == mutant);
            }
            all.groups.retain(|group| !group.rules.is_empty());
            Case { rule: rule.name().to_owned(), change, rules: all, tests: narrowed.clone() }
        };
        cases.push(case(rule, None));
        for Mutant { rule: mutant, change } in super::of(rule) {
            let count = seen.entry((rule.name().to_owned(), change.clone())).or_default();
            *count += 1;
            let change = if *count > 1 { format!("{change} ({count})") } else { change };
            cases.push(case(&mutant, Some(change)));
        }
    }
    cases
}

/// The tests of one rule of a rule file.
fn narrow(file: &str, tests: &TestFile, rule: &Rule) -> TestFile {
    let mut tests = tests.clone();
    // The other rule files that the tests load stay unchanged.
    let rules = paths::root().join("monitoring/prometheus/rules");
    let names = tests.rule_files.iter().filter_map(|path| Path::new(path).file_name());
    let others = names.filter(|name| *name != file).map(|name| rules.join(name).display().to_string());
    tests.rule_files = others.chain([RULES.to_owned()]).collect();
    tests.tests.retain_mut(|test| of_labels(test, rule));
    for test in &mut tests.tests {
        test.alert_rule_test.retain(|case| rule.alert.as_ref() == Some(&case.alertname));
        test.promql_expr_test.retain(|case| rule.record.as_ref().is_some_and(|name| mentions(&case.expr, name)));
    }
    tests.tests.retain(|test| !test.alert_rule_test.is_empty() || !test.promql_expr_test.is_empty());
    tests
}

/// Removes from a test the expected alerts that have the rule's name but other labels. Returns whether the test still concerns the rule.
fn of_labels(test: &mut Test, rule: &Rule) -> bool {
    let is_of = |alert: &Expected| rule.raises(alert);
    let (mut own, mut others) = (false, false);
    for case in test.alert_rule_test.iter_mut().filter(|case| rule.alert.as_ref() == Some(&case.alertname)) {
        others |= !case.exp_alerts.iter().all(is_of);
        case.exp_alerts.retain(is_of);
        own |= !case.exp_alerts.is_empty();
    }
    own || !others
}

const RULES: &str = "rules.yml";
const TESTS: &str = "tests.yml";

/// Checks that promtool can read every mutant. Without this check, an invalid mutant would fail its tests and count as detected.
fn are_valid(folder: &Path, cases: &[Case]) -> Result<()> {
    let groups = cases.iter().enumerate().flat_map(|(number, case)| {
        case.rules.groups.iter().cloned().map(move |mut group| {
            group.name = format!("{number} {}", group.name);
            group
        })
    });
    let file = write(folder, "all.yml", &RuleFile { groups: groups.collect() })?;
    let output = capture(tool(&PROMTOOL)?.args(["check", "rules", "--lint=none"]).arg(file))?;
    ensure!(output.success, "promtool cannot read a mutant: {}", output.text);
    Ok(())
}

/// Whether the case's tests pass.
fn passes(folder: &Path, case: &Case) -> Result<bool> {
    paths::ensure(folder)?;
    write(folder, RULES, &case.rules)?;
    write(folder, TESTS, &case.tests)?;
    let output = capture(tool(&PROMTOOL)?.args(["test", "rules", TESTS]).current_dir(folder))?;
    fs::remove_dir_all(folder).with_context(|| format!("failed to remove {}", folder.display()))?;
    Ok(output.success)
}

fn write(folder: &Path, name: &str, content: &impl Serialize) -> Result<PathBuf> {
    let path = folder.join(name);
    let text = serde_norway::to_string(content)?;
    fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE_FILE: &str = "groups:\n  - name: g\n    rules:\n      - {record: a, expr: sum(x)}\n      - {alert: A, expr: a > 1}\n      - {alert: B, expr: b > 1}\n";
    const TEST_FILE: &str = "rule_files: [../rules/g.yml]\nevaluation_interval: 15s\ntests:\n  - name: one\n    interval: 15s\n    \
        alert_rule_test: [{eval_time: 1m, alertname: A}]\n  - name: two\n    interval: 15s\n    promql_expr_test: [{eval_time: 1m, expr: a}]\n";

    #[test]
    fn a_mutant_runs_only_against_the_tests_of_its_rule() {
        let cases = cases("g.yml", &serde_norway::from_str(RULE_FILE).unwrap(), &serde_norway::from_str(TEST_FILE).unwrap());
        let of = |rule: &str| cases.iter().find(|case| case.rule == rule).unwrap();
        let names = |rule: &str| of(rule).rules.groups[0].rules.iter().map(|rule| rule.name().to_owned()).collect::<Vec<_>>();
        let tests = |rule: &str| of(rule).tests.tests.iter().map(|test| test.name.clone()).collect::<Vec<_>>();
        assert_eq!(names("a"), ["a"]);
        assert_eq!(tests("a"), ["two"]);
        assert_eq!(names("A"), ["a", "A"]);
        assert_eq!(tests("A"), ["one"]);
        assert!(tests("B").is_empty());
    }

    #[test]
    fn alerts_of_the_same_name_are_distinguished_by_their_labels() {
        let rules = "groups:\n  - name: g\n    rules:\n      - {alert: A, expr: a > 1, labels: {of: a}}\n      - {alert: A, expr: b > 1, labels: {of: b}}\n";
        let tests = "rule_files: [../rules/g.yml]\nevaluation_interval: 15s\ntests:\n  - name: both\n    interval: 15s\n    alert_rule_test:\n      \
            - {eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {of: a, at: x}}, {exp_labels: {of: b}}]}\n  - name: b\n    interval: 15s\n    \
            alert_rule_test: [{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {of: b}}]}]\n  - name: none\n    interval: 15s\n    \
            alert_rule_test: [{eval_time: 1m, alertname: A}]\n";
        let cases = cases("g.yml", &serde_norway::from_str(rules).unwrap(), &serde_norway::from_str(tests).unwrap());
        let first = &cases[0];
        assert_eq!(first.rules.groups[0].rules.len(), 1);
        assert_eq!(first.tests.tests.iter().map(|test| test.name.as_str()).collect::<Vec<_>>(), ["both", "none"]);
        assert_eq!(first.tests.tests[0].alert_rule_test[0].exp_alerts.len(), 1);
    }

    #[test]
    fn exactly_the_listed_mutants_must_survive() {
        let mutants = |rules: [&str; 2]| rules.map(|rule| (rule.to_owned(), "c".to_owned())).to_vec();
        let outcome = judge("g", 7, mutants(["A", "B"]), &mutants(["A", "C"]));
        assert_eq!(
            outcome,
            Outcome { passed: 8, failed: 2, note: "7 detected, 1 equivalent, 1 undetected".to_owned(), ..Outcome::default() }
        );
    }
}
