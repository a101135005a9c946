//! docs/ALERTS.md: every alert, its summary, and the result of its last drill.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use devstack::paths;
use serde_json::Value;

use super::run::Drilled;
use super::schedule;
use super::test_stack::TestStack;
use super::watch::{Key, has, parts};

/// Writes the whole document.
pub fn write(test: &TestStack, speed: u32, drilled: &[Drilled]) -> Result<()> {
    let path = paths::root().join("docs/ALERTS.md");
    fs::write(&path, text(&rules(test)?, speed, drilled)).with_context(|| format!("failed to write {}", path.display()))
}

/// Replaces the rows of these drills in the document. All rows follow the order of the schedule; rows without a drill are dropped.
pub fn update(test: &TestStack, drilled: &[Drilled]) -> Result<()> {
    let path = paths::root().join("docs/ALERTS.md");
    let document = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let rows: Vec<String> = rows(&rules(test)?, drilled);
    let order: Vec<String> = schedule::alerts(schedule::ALL).map(label).collect();
    fs::write(&path, merged(&document, &rows, &order)).with_context(|| format!("failed to write {}", path.display()))
}

fn merged(text: &str, rows: &[String], order: &[String]) -> String {
    let is_row = |line: &&str| line.starts_with("| [");
    let of = |label: &String| {
        let known = rows.iter().map(String::as_str).chain(text.lines().filter(is_row));
        known.map(str::trim_end).find(|row| row.split(" | ").next() == Some(&format!("| {label}")))
    };
    let table = order.iter().filter_map(of);
    let before = text.lines().take_while(|line| !is_row(line));
    let after = text.lines().skip_while(|line| !is_row(line)).skip_while(is_row);
    before.chain(table).chain(after).flat_map(|line| [line, "\n"]).collect()
}

/// The first cell of an alert's row.
fn label(alert: Key) -> String {
    let (name, values) = parts(alert);
    let values: Vec<_> = values.collect();
    let variant = if values.is_empty() { String::new() } else { format!(" ({})", values.join(", ")) };
    format!("[{name}](../monitoring/runbooks/{name}.md){variant}")
}

/// Every alerting rule that Prometheus has loaded.
pub fn rules(test: &TestStack) -> Result<Vec<Value>> {
    let answer = test.prometheus("/api/v1/rules?type=alert")?;
    let groups = answer["data"]["groups"].as_array().context("Prometheus returned no rules")?;
    Ok(groups.iter().flat_map(|group| group["rules"].as_array().into_iter().flatten().cloned()).collect())
}

fn text(rules: &[Value], speed: u32, drilled: &[Drilled]) -> String {
    let mut text = format!(
        "# Alerts\n\n\
         Written by `cargo xtask drill --all`; `cargo xtask drill NAME` updates the rows of single alerts. Do not edit. On three replicas\n\
         behind the edge, each alert fired on the cause in its row and resolved after the mitigation in its runbook. Alertmanager sent\n\
         every alert except `no_alertmanager`. All intervals, windows and waits of the monitoring were divided by {speed}, but last at\n\
         least one second. The times are as measured, in seconds: from the cause to firing and to the notification, and from the\n\
         mitigation to resolution and to its notification. In production they are at most about {speed} times as long.\n\n\
         | alert | severity | component | summary | cause in the drill | mitigation | fires | notified | resolved | notified |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    text.extend(rows(rules, drilled));
    text.push_str(
        "\n[Watchdog](../monitoring/runbooks/Watchdog.md) always fires: its receiver was notified repeatedly, except while Alertmanager was frozen.\n\
         A Prometheus without an Alertmanager (`no_alertmanager`) cannot notify anybody; the missing Watchdog notifications reveal it.\n",
    );
    text
}

/// One table row per alert.
fn rows(rules: &[Value], drilled: &[Drilled]) -> Vec<String> {
    let mut rows = Vec::new();
    for drill in drilled {
        let mut text = String::new();
        let (name, values) = parts(drill.alert);
        let values: Vec<_> = values.collect();
        let named: Vec<_> = rules.iter().filter(|rule| rule["name"] == name).collect();
        // Several rules may have this name. The alert's rule is the one whose labels have the most of the values in the key
        // (`Name:value:…`). A value that no rule has belongs to a label that the rule's expression adds.
        let rule = named.iter().max_by_key(|rule| values.iter().filter(|value| has(&rule["labels"], value)).count());
        let of = |part: &str, key: &str| rule.and_then(|rule| rule[part][key].as_str()).unwrap_or_default().to_owned();
        let times = drill.times;
        let after = |time: Option<Duration>| seconds(time.map(|time| time.saturating_sub(times.mitigated.unwrap_or_default())));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            label(drill.alert),
            of("labels", "severity"),
            of("labels", "component"),
            of("annotations", "summary"),
            drill.cause,
            drill.mitigation,
            seconds(times.firing),
            seconds(times.notified),
            after(times.resolved),
            after(times.resolution_notified)
        );
        rows.push(text);
    }
    rows
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", time.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::Drill;

    #[test]
    fn rows_follow_the_order_of_the_drills_and_old_rows_are_removed() {
        let text = "# Alerts\n\n| alert | says |\n| --- | --- |\n| [B](b) | 2 |\n| [Old](o) | 0 |\n| [A](a) (x) | 1 |\n\nEnd.\n";
        let rows = ["| [A](a) (x) | 3 |\n".to_owned(), "| [A](a) (y) | 4 |\n".to_owned()];
        let order = ["[A](a) (x)", "[A](a) (y)", "[B](b)", "[C](c)"].map(str::to_owned);
        let expected = "# Alerts\n\n| alert | says |\n| --- | --- |\n| [A](a) (x) | 3 |\n| [A](a) (y) | 4 |\n| [B](b) | 2 |\n\nEnd.\n";
        assert_eq!(merged(text, &rows, &order), expected);
    }

    #[test]
    fn the_document_has_the_current_row_of_each_drill() {
        let text = fs::read_to_string(paths::root().join("docs/ALERTS.md")).unwrap();
        let drills: Vec<_> = schedule::ALL.iter().flat_map(|batch| batch.iter()).collect();
        let expected: Vec<_> = drills.iter().flat_map(|drill| drill.alerts.iter().map(move |alert| (label(alert), drill))).collect();
        let is_written = |(label, drill): &&(String, &&Drill)| {
            let Drill { cause, mitigation, .. } = drill;
            text.lines().any(|line| line.starts_with(&format!("| {label} | ")) && line.contains(&format!(" | {cause} | {mitigation} | ")))
        };
        let missing: Vec<_> = expected.iter().filter(|row| !is_written(row)).map(|(label, _)| label).collect();
        assert!(missing.is_empty(), "cargo xtask drill has not written the rows of {missing:?}");
        assert_eq!(text.lines().filter(|line| line.starts_with("| [")).count(), expected.len(), "some rows belong to no drill");
    }
}
