//! The monitoring itself: targets missing, too many series, broken configuration.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use devstack::yaml::drop_item;
use rustix::process::Signal;

use super::bench::Bench;
use super::{Drill, Mitigation};

/// A scrape target hangs.
pub const TARGET: Drill = Drill {
    alerts: &["TargetDown"],
    cause: "the exporter of the machine is frozen",
    mitigation: "the exporter is unfrozen",
    inject: |bench| {
        bench.stack.signal("node-exporter", Signal::STOP)?;
        Ok(Box::new(|bench| bench.stack.signal("node-exporter", Signal::CONT)))
    },
};

/// A target exposes more and more series.
pub const CARDINALITY: Drill = Drill {
    alerts: &["CardinalityGrowth:growth:warning"],
    cause: "a file of 300 rule groups is added, each of which adds two kept series to Prometheus' own metrics",
    mitigation: "the file is removed",
    inject: |bench| add_groups(bench, 300),
};

/// A target exposes more series than Prometheus accepts.
pub const TOO_LARGE: Drill = Drill {
    alerts: &["CardinalityGrowth:dropped:critical"],
    cause: "a file of 550 rule groups is added: Prometheus drops its scrapes of itself, which exceed their sample limit",
    mitigation: "the file is removed",
    inject: |bench| add_groups(bench, 550),
};

/// Prometheus cannot read its configuration.
pub const CONFIGURATION: Drill = Drill {
    alerts: &["MonitoringBroken:configuration"],
    cause: "prometheus.yml is broken, and Prometheus reloads it",
    mitigation: "prometheus.yml is repaired and reloaded",
    inject: |bench| {
        let file = configuration(bench);
        let good = fs::read_to_string(&file)?;
        fs::write(&file, format!("{good}\nno_such_setting: 1\n"))?;
        ensure!(!bench.reload()?, "Prometheus accepted an unknown setting");
        Ok(Box::new(move |bench| {
            fs::write(&file, good)?;
            read_again(bench)
        }))
    },
};

/// A rule cannot be evaluated.
pub const RULE: Drill = Drill {
    alerts: &["MonitoringBroken:rules"],
    cause: "a rule is added with a many-to-many match",
    mitigation: "the rule is removed",
    inject: |bench| add_rule(bench, "broken", "up + on (cluster) up"),
};

/// Prometheus has no Alertmanager. This alert cannot be sent either: the dead man's switch raises the alarm.
pub const NO_ALERTMANAGER: Drill = Drill {
    alerts: &["MonitoringBroken:no_alertmanager"],
    cause: "the Alertmanager is removed from prometheus.yml",
    mitigation: "it is put back",
    inject: |bench| edit(bench, without_alerting),
};

/// Prometheus stores no samples of itself any more.
pub const INGESTION: Drill = Drill {
    alerts: &["MonitoringBroken:ingestion"],
    cause: "Prometheus' own job is removed from prometheus.yml",
    mitigation: "it is put back",
    inject: |bench| edit(bench, |good| drop_item(good, "job_name: prometheus")),
};

/// Notification receivers are unavailable.
pub const NOTIFICATIONS: Drill = Drill {
    alerts: &["MonitoringBroken:notifications"],
    cause: "the receiver of Slack, PagerDuty and dead man's switch messages is killed",
    mitigation: "it is started again",
    inject: |bench| {
        bench.stack.kill_platforms()?;
        Ok(Box::new(|bench| bench.stack.start_platforms_again()))
    },
};

/// Adds one rule to Prometheus.
pub fn add_rule(bench: &Bench, name: &str, expression: &str) -> Result<Mitigation> {
    add_rules(bench, name, &format!("groups:\n  - name: {name}\n    rules:\n      - record: job:{name}:sum\n        expr: {expression}\n"))
}

/// Adds this many rule groups, about each of which Prometheus exposes series.
fn add_groups(bench: &Bench, count: usize) -> Result<Mitigation> {
    let group =
        |number| format!("  - {{name: many-{number}, interval: 1h, rules: [{{record: many:nothing:{number}, expr: vector(0)}}]}}\n");
    add_rules(bench, "many", &format!("groups:\n{}", (0..count).map(group).collect::<String>()))
}

fn add_rules(bench: &Bench, name: &str, rules: &str) -> Result<Mitigation> {
    let file = bench.folder().join("config/prometheus/rules").join(name).with_extension("yml");
    fs::write(&file, rules)?;
    read_again(bench)?;
    Ok(Box::new(move |bench| {
        fs::remove_file(&file)?;
        read_again(bench)
    }))
}

/// Prometheus' configuration without its `alerting` section.
fn without_alerting(text: &str) -> String {
    let mut inside = false;
    let is_kept = |line: &&str| {
        if !line.starts_with([' ', '\n']) {
            inside = line.starts_with("alerting:");
        }
        !inside
    };
    text.split_inclusive('\n').filter(is_kept).collect()
}

fn configuration(bench: &Bench) -> PathBuf {
    bench.folder().join("config/prometheus/prometheus.yml")
}

/// Makes Prometheus load a changed configuration.
fn edit(bench: &Bench, change: fn(&str) -> String) -> Result<Mitigation> {
    let file = configuration(bench);
    let good = fs::read_to_string(&file)?;
    let changed = change(&good);
    ensure!(changed != good, "the edit did not change prometheus.yml");
    fs::write(&file, changed)?;
    read_again(bench)?;
    Ok(Box::new(move |bench| {
        fs::write(&file, good)?;
        read_again(bench)
    }))
}

fn read_again(bench: &Bench) -> Result<()> {
    ensure!(bench.reload()?, "Prometheus rejected its original configuration");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_on_alerts_is_left_out() {
        let text = "global:\n  a: 1\n\nalerting:\n  alertmanagers:\n    - b\n\nscrape_configs:\n  - c\n";
        assert_eq!(without_alerting(text), "global:\n  a: 1\n\nscrape_configs:\n  - c\n");
    }
}
