//! Tests alert routing with amtool: the lines of routes.txt, and every alert of the rules by its severity.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use devstack::process::capture;
use devstack::report::Outcome;
use devstack::tools::AMTOOL;
use rule_tools::checks::tool;
use rule_tools::rules::{self, Rule, RuleFile};

/// The labels of an alert, as `name=value`, and the receivers that the alert must be routed to.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    labels: Vec<String>,
    receivers: String,
}

/// Runs one check for each row.
pub fn check(folder: &Path, rules: &Path) -> Result<Outcome> {
    let table = folder.join("routes.txt");
    let text = fs::read_to_string(&table).with_context(|| format!("failed to read {}", table.display()))?;
    let mut rows = read(&text)?;
    ensure!(!rows.is_empty(), "{} has no rows", table.display());
    for name in rules::names(rules)? {
        let file: RuleFile = rules::read(&rules.join(format!("{name}.yml")))?;
        for rule in file.groups.iter().flat_map(|group| &group.rules).filter(|rule| rule.alert.is_some()) {
            rows.push(of(rule)?);
        }
    }
    let mut sum = Outcome::default();
    for row in rows {
        let mut ask = tool(&AMTOOL)?;
        ask.args(["config", "routes", "test", "--config.file"]).arg(folder.join("alertmanager.yml"));
        let output = capture(ask.arg(format!("--verify.receivers={}", row.receivers)).args(&row.labels))?;
        if output.success {
            sum.passed += 1;
        } else {
            sum.failed += 1;
            sum.note = format!("{} is not routed to {}", row.labels.join(" "), row.receivers);
            eprintln!("{}: {}", sum.note, output.text.trim_end());
        }
    }
    Ok(sum)
}

fn read(text: &str) -> Result<Vec<Row>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (labels, receivers) = line.split_once("->").with_context(|| format!("{line}: must be `label=value … -> receiver`"))?;
            let labels = labels.split_whitespace().map(str::to_owned).collect();
            Ok(Row { labels, receivers: receivers.trim().to_owned() })
        })
        .collect()
}

fn of(rule: &Rule) -> Result<Row> {
    let severity = rule.labels.get("severity").map_or("", String::as_str);
    let receiver = match severity {
        "critical" => "page",
        "warning" => "team",
        "info" => "log",
        "none" => "dead-man",
        other => bail!("{} has the severity {other:?}: must be critical, warning, info or none", rule.name()),
    };
    let labels = rule.labels.iter().map(|(name, value)| format!("{name}={value}"));
    let labels = [format!("alertname={}", rule.name())].into_iter().chain(labels).collect();
    Ok(Row { labels, receivers: receiver.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_labels_and_receivers() {
        let rows = read("# who\n\nseverity=critical component=http -> page\n").unwrap();
        let labels = vec!["severity=critical".to_owned(), "component=http".to_owned()];
        assert_eq!(rows, [Row { labels, receivers: "page".to_owned() }]);
        assert!(read("severity=critical page\n").is_err());
    }

    #[test]
    fn an_alert_is_routed_by_its_severity() {
        let rule = |severity: &str| {
            let labels = [("severity".to_owned(), severity.to_owned())].into();
            Rule { alert: Some("Slow".to_owned()), labels, ..Rule::default() }
        };
        let expected = Row { labels: vec!["alertname=Slow".to_owned(), "severity=warning".to_owned()], receivers: "team".to_owned() };
        assert_eq!(of(&rule("warning")).unwrap(), expected);
        assert!(of(&rule("urgent")).is_err());
    }
}
