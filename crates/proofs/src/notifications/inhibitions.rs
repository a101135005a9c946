//! Tests the inhibition rules of a running Alertmanager. Each line of inhibitions.txt stands for one or more pairs of alerts; all pairs are
//! raised at the same time. Each pair gets a cluster of its own, so that only its own source can inhibit its target. If a rule omits the
//! cluster from `equal`, sources of other pairs inhibit the target too, and the check fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use devstack::http::{get, is_ok, send};
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::process::{Daemon, wait_until};
use devstack::report::Outcome;
use devstack::tools::ALERTMANAGER;
use devstack::{configuration, paths, stack};
use serde_json::{Value, json};

/// Time limit for Alertmanager to start, and then to inhibit the alerts.
const LIMIT: Duration = Duration::from_secs(20);
const FAR_FUTURE: &str = "2100-01-01T00:00:00Z";
/// The label that identifies an alert: the number of its pair, and whether the alert is the source or the target.
const MARK: &str = "tried_as";

type Labels = BTreeMap<String, String>;

/// Two alerts, and whether the first inhibits the second.
#[derive(Debug, PartialEq, Eq)]
struct Pair {
    line: String,
    source: Labels,
    target: Labels,
    inhibits: bool,
}

/// Checks every pair in `folder`'s inhibitions.txt; each pair counts as one test.
pub fn check(folder: &Path) -> Result<Outcome> {
    let table = folder.join("inhibitions.txt");
    let text = fs::read_to_string(&table).with_context(|| format!("failed to read {}", table.display()))?;
    let pairs = read(&text)?;
    ensure!(!pairs.is_empty(), "{} has no lines", table.display());
    let wrong = failing_lines(&pairs)?;
    for line in &wrong {
        eprintln!("does not hold: {line}");
    }
    let failed = wrong.len() as u64;
    Ok(Outcome { passed: pairs.len() as u64 - failed, failed, note: wrong.first().cloned().unwrap_or_default(), ..Outcome::default() })
}

/// Raises the alerts of all pairs and returns the lines whose pairs do not behave as the lines require.
fn failing_lines(pairs: &[Pair]) -> Result<Vec<String>> {
    let (folder, ports) = (paths::temporary("inhibitions")?, Ports::any(MAX_REPLICAS)?);
    let root = folder.path();
    configuration::write(root, &ports, MAX_REPLICAS, true)?;
    let daemon = Daemon::new("alertmanager", &ALERTMANAGER.path()?, root);
    let mut alertmanager = stack::alertmanager(daemon, &ports, root, &root.join("data"))?;
    let url = ports.url(Port::Alertmanager)?;
    alertmanager.wait_ready(LIMIT, || is_ok(&format!("{url}/-/ready")))?;
    let alerts: Vec<Value> = pairs.iter().enumerate().flat_map(|(number, pair)| raised(number, pair)).collect();
    let answer = send("POST", &format!("{url}/api/v2/alerts"), &[], Some(&json!(alerts)))?;
    ensure!(answer.status == 200, "Alertmanager rejected alerts: {}", answer.body);
    let mut wrong = Vec::new();
    // Alertmanager processes alerts one after the other, so their states are final only when it has all of them.
    let settled = wait_until("exactly the expected alerts are inhibited", LIMIT, || {
        let inhibited = inhibited(&url)?;
        let is_wrong = |(number, pair): &(usize, &Pair)| inhibited.get(&mark(*number, "target")) != Some(&pair.inhibits);
        let all = inhibited.len() == alerts.len();
        wrong = pairs.iter().enumerate().filter(is_wrong).map(|(_, pair)| pair.line.clone()).collect();
        Ok(all && wrong.is_empty())
    });
    if settled.is_err() && wrong.is_empty() {
        settled?;
    }
    Ok(wrong)
}

/// Maps the mark of each alert to whether the alert is inhibited.
fn inhibited(url: &str) -> Result<BTreeMap<String, bool>> {
    let answer = get(&format!("{url}/api/v2/alerts"))?.json()?;
    let alerts = answer.as_array().context("Alertmanager returned no list of alerts")?;
    let of = |alert: &Value| {
        let is_inhibited = alert["status"]["inhibitedBy"].as_array().is_some_and(|by| !by.is_empty());
        Some((alert["labels"][MARK].as_str()?.to_owned(), is_inhibited))
    };
    Ok(alerts.iter().filter_map(of).collect())
}

fn mark(number: usize, side: &str) -> String {
    format!("{number}-{side}")
}

/// The two alerts of a pair, as sent to Alertmanager.
fn raised(number: usize, pair: &Pair) -> [Value; 2] {
    [("source", &pair.source), ("target", &pair.target)].map(|(side, labels)| {
        let cluster = labels.get("cluster").map_or("", String::as_str);
        let mut labels = json!(labels);
        labels["cluster"] = json!(format!("pair-{number}{cluster}"));
        labels[MARK] = json!(mark(number, side));
        json!({ "labels": labels, "endsAt": FAR_FUTURE })
    })
}

/// Parses lines of the form `Name|Name label=value … silences Name|Name label=value …`. `spares` in place of `silences` means that the
/// first alert must not inhibit the second.
fn read(text: &str) -> Result<Vec<Pair>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut pairs = Vec::new();
    for line in lines {
        let (sides, inhibits) = match (line.split_once(" silences "), line.split_once(" spares ")) {
            (Some(sides), None) => (sides, true),
            (None, Some(sides)) => (sides, false),
            _ => bail!("{line}: must be `alert silences alert` or `alert spares alert`"),
        };
        for source in side(sides.0)? {
            for target in side(sides.1)? {
                pairs.push(Pair { line: line.to_owned(), source: source.clone(), target, inhibits });
            }
        }
    }
    Ok(pairs)
}

/// The alerts on one side of a line.
fn side(text: &str) -> Result<Vec<Labels>> {
    let mut words = text.split_whitespace();
    let alerts = words.next().with_context(|| format!("{text}: an alert must be named"))?;
    let labels: Labels = words
        .map(|word| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect::<Option<_>>()
        .with_context(|| format!("{text}: labels must be `name=value`"))?;
    let named = |name: &str| labels.clone().into_iter().chain([("alertname".to_owned(), name.to_owned())]).collect();
    Ok(alerts.split('|').map(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_a_pair_for_each_combination_of_names() {
        let pairs = read("# what\n\nA instance=x silences B|C instance=x\nA spares B\n").unwrap();
        let labels = |name: &str, rest: &[(&str, &str)]| -> Labels {
            rest.iter().chain([&("alertname", name)]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let seen: Vec<_> = pairs.iter().map(|pair| (pair.source.clone(), pair.target.clone(), pair.inhibits)).collect();
        let x = [("instance", "x")];
        let expected = [
            (labels("A", &x), labels("B", &x), true),
            (labels("A", &x), labels("C", &x), true),
            (labels("A", &[]), labels("B", &[]), false),
        ];
        assert_eq!(seen, expected);
        assert!(read("A hides B").is_err());
        assert!(read("A instance silences B").is_err());
    }
}
