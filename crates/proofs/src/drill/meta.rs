//! The monitoring itself: targets missing, too many series, broken configuration.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use devstack::yaml::drop_item;
use rustix::process::Signal;

use super::test_stack::TestStack;
use super::{Drill, Mitigation};

/// A scrape target hangs.
pub const TARGET: Drill = Drill {
    alerts: &["TargetDown"],
    cause: "the exporter of the machine is frozen",
    mitigation: "the exporter is unfrozen",
    inject: |test| {
        test.stack.signal("node-exporter", Signal::STOP)?;
        Ok(Box::new(|test| test.stack.signal("node-exporter", Signal::CONT)))
    },
};

/// A target exposes more than half of the series that Prometheus accepts from it.
pub const CARDINALITY: Drill = Drill {
    alerts: &["CardinalityGrowth:growth:warning"],
    cause: "a file of 300 rule groups is added; Prometheus stores two series about each group",
    mitigation: "the file is removed",
    inject: |test| add_groups(test, 300),
};

/// A target exposes more series than Prometheus accepts from it.
pub const TOO_LARGE: Drill = Drill {
    alerts: &["CardinalityGrowth:dropped:critical"],
    cause: "a file of 550 rule groups is added; Prometheus' scrapes of itself exceed their sample limit and are dropped",
    mitigation: "the file is removed",
    inject: |test| add_groups(test, 550),
};

/// Prometheus rejects its configuration.
pub const CONFIGURATION: Drill = Drill {
    alerts: &["MonitoringBroken:configuration"],
    cause: "an unknown setting is added to prometheus.yml, and the reload fails",
    mitigation: "prometheus.yml is repaired and reloaded",
    inject: |test| {
        let file = configuration(test);
        let good = fs::read_to_string(&file)?;
        fs::write(&file, format!("{good}\nno_such_setting: 1\n"))?;
        ensure!(!test.reload()?, "Prometheus accepted an unknown setting");
        Ok(Box::new(move |test| {
            fs::write(&file, good)?;
            read_again(test)
        }))
    },
};

/// A rule cannot be evaluated.
pub const RULE: Drill = Drill {
    alerts: &["MonitoringBroken:rules"],
    cause: "a rule is added with a many-to-many match",
    mitigation: "the rule is removed",
    inject: |test| add_rule(test, "broken", "up + on (cluster) up"),
};

/// Prometheus has no Alertmanager, so it cannot send this alert either. The dead man's switch raises the alarm instead.
pub const NO_ALERTMANAGER: Drill = Drill {
    alerts: &["MonitoringBroken:no_alertmanager"],
    cause: "the Alertmanager is removed from prometheus.yml",
    mitigation: "it is put back",
    inject: |test| edit(test, without_alerting),
};

/// Prometheus stores no samples of itself any more.
pub const INGESTION: Drill = Drill {
    alerts: &["MonitoringBroken:ingestion"],
    cause: "Prometheus' own job is removed from prometheus.yml",
    mitigation: "it is put back",
    inject: |test| edit(test, |good| drop_item(good, "job_name: prometheus")),
};

/// Notification receivers are unavailable.
pub const NOTIFICATIONS: Drill = Drill {
    alerts: &["MonitoringBroken:notifications"],
    cause: "the receiver of Slack, PagerDuty and dead man's switch messages is killed",
    mitigation: "it is started again",
    inject: |test| {
        test.stack.kill_platforms()?;
        Ok(Box::new(|test| test.stack.start_platforms_again()))
    },
};

/// Adds one rule to Prometheus.
pub fn add_rule(test: &TestStack, name: &str, expression: &str) -> Result<Mitigation> {
    add_rules(test, name, &format!("groups:\n  - name: {name}\n    rules:\n      - record: job:{name}:sum\n        expr: {expression}\n"))
}

/// Adds this many rule groups; Prometheus exposes series about each group.
fn add_groups(test: &TestStack, count: usize) -> Result<Mitigation> {
    let group =
        |number| format!("  - {{name: many-{number}, interval: 1h, rules: [{{record: many:nothing:{number}, expr: vector(0)}}]}}\n");
    add_rules(test, "many", &format!("groups:\n{}", (0..count).map(group).collect::<String>()))
}

fn add_rules(test: &TestStack, name: &str, rules: &str) -> Result<Mitigation> {
    let file = test.folder().join("config/prometheus/rules").join(name).with_extension("yml");
    fs::write(&file, rules)?;
    read_again(test)?;
    Ok(Box::new(move |test| {
        fs::remove_file(&file)?;
        read_again(test)
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

fn configuration(test: &TestStack) -> PathBuf {
    test.folder().join("config/prometheus/prometheus.yml")
}

/// Changes prometheus.yml and makes Prometheus reload it; the mitigation restores the file.
fn edit(test: &TestStack, change: fn(&str) -> String) -> Result<Mitigation> {
    let file = configuration(test);
    let good = fs::read_to_string(&file)?;
    let changed = change(&good);
    ensure!(changed != good, "the edit did not change prometheus.yml");
    fs::write(&file, changed)?;
    read_again(test)?;
    Ok(Box::new(move |test| {
        fs::write(&file, good)?;
        read_again(test)
    }))
}

fn read_again(test: &TestStack) -> Result<()> {
    ensure!(test.reload()?, "Prometheus rejected its configuration");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alerting_section_is_left_out() {
        let text = "global:\n  a: 1\n\nalerting:\n  alertmanagers:\n    - b\n\nscrape_configs:\n  - c\n";
        assert_eq!(without_alerting(text), "global:\n  a: 1\n\nscrape_configs:\n  - c\n");
    }
}
