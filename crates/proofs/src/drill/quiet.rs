//! Proves that no alert fires without a cause, at production pace: a cold start, load, and the replacement of every replica.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use devstack::form::Form;
use devstack::http::get;
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Port};
use devstack::process::pause;
use devstack::report::{Outcome, Report};
use rustix::process::Signal;

use super::proof::load;
use super::test_stack::TestStack;
use super::watch;

/// Time in which every rule is evaluated at production pace, even when one evaluation is late.
const TWO_EVALUATIONS: Duration = Duration::from_secs(30);

/// Adds the proof to a report. The nominal load is watched for `minutes`: half before the rolling restart, half after it.
pub fn add(report: &mut Report, minutes: u32, form: Form) -> Result<()> {
    let folder = paths::temporary("quiet")?;
    let mut test = TestStack::start(folder.path().to_owned(), 1, form)?;
    let length = Duration::from_mins(1) * minutes;
    let load = load(&test, length + Duration::from_mins(10))?;
    report.step("cold start and nominal load", || expect_no_alerts(&test, length / 2))?;
    report.step("rolling restart", || {
        for number in 1..=MAX_REPLICAS {
            test.stack.replace_replica(number, Signal::TERM)?;
            expect_no_alerts(&test, TWO_EVALUATIONS)?;
        }
        Ok(Outcome::passed())
    })?;
    report.step("nominal load after the rolling restart", || expect_no_alerts(&test, length / 2))?;
    report.step("load", || {
        let summary = load.stop()?;
        Ok(Outcome::passed().with_note(format!("{} requests", summary.requests)))
    })
}

/// Fails when an alert other than Watchdog fires within the time. Also fails when a rule group was not evaluated or an evaluation failed,
/// because an alert cannot fire while Prometheus does not evaluate its rule.
fn expect_no_alerts(test: &TestStack, length: Duration) -> Result<Outcome> {
    let before = Evaluations::of(test)?;
    let start = Instant::now();
    let mut polls = 0_u32;
    while start.elapsed() < length {
        let firing = watch::firing(test)?.into_iter().find(|labels| labels["alertname"] != "Watchdog");
        if let Some(labels) = firing {
            bail!("{labels} after {} s", start.elapsed().as_secs());
        }
        polls += 1;
        pause()?;
    }
    let rules = Evaluations::of(test)?.since(&before)?;
    Ok(Outcome::passed().with_note(format!("{} s, polled {polls} times, {rules} rule evaluations", length.as_secs())))
}

/// Prometheus' own counts: the rule evaluations of each group, and the failed evaluations of all groups.
struct Evaluations {
    by_group: BTreeMap<String, f64>,
    failed: f64,
}

impl Evaluations {
    fn of(test: &TestStack) -> Result<Self> {
        Ok(Self::read(&get(&format!("{}/metrics", test.url(Port::Prometheus)?))?.body))
    }

    fn read(metrics: &str) -> Self {
        let samples = |name: &'static str| {
            let sample = move |line: &str| {
                let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.split_once("} ")?;
                Some((labels.to_owned(), value.parse::<f64>().ok()?))
            };
            metrics.lines().filter_map(sample)
        };
        Self {
            by_group: samples("prometheus_rule_evaluations_total").collect(),
            failed: samples("prometheus_rule_evaluation_failures_total").map(|(_, count)| count).sum(),
        }
    }

    /// The number of evaluations since `before`. Fails when there is no group, a group had no evaluation, or an evaluation failed.
    fn since(&self, before: &Self) -> Result<f64> {
        ensure!(!self.by_group.is_empty(), "Prometheus evaluates no rules");
        let grown = |(group, count): (&String, &f64)| (group.clone(), count - before.by_group.get(group).copied().unwrap_or_default());
        let grown: Vec<(String, f64)> = self.by_group.iter().map(grown).collect();
        let idle: Vec<&str> = grown.iter().filter(|(_, count)| *count <= 0.0).map(|(group, _)| group.as_str()).collect();
        ensure!(idle.is_empty(), "no rule was evaluated in {}", idle.join(", "));
        ensure!(self.failed <= before.failed, "{} rule evaluations failed", self.failed - before.failed);
        Ok(grown.into_iter().map(|(_, count)| count).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_fails_if_rules_are_not_evaluated_or_an_evaluation_fails() {
        let counts = |http: u32, slo: u32, failed: u32| {
            Evaluations::read(&format!(
                "# TYPE prometheus_rule_evaluations_total counter\n\
                 prometheus_rule_evaluations_total{{rule_group=\"http.yml;http\"}} {http}\n\
                 prometheus_rule_evaluations_total{{rule_group=\"slo.yml;slo\"}} {slo}\n\
                 prometheus_rule_evaluation_failures_total{{rule_group=\"slo.yml;slo\"}} {failed}\n"
            ))
        };
        let before = counts(10, 20, 1);
        let fails = |after: Evaluations| after.since(&before).unwrap_err().to_string();
        assert!(Evaluations::read("").since(&before).is_err(), "no rules");
        assert_eq!(fails(counts(10, 20, 1)), "no rule was evaluated in rule_group=\"http.yml;http\", rule_group=\"slo.yml;slo\"");
        assert_eq!(fails(counts(20, 20, 1)), "no rule was evaluated in rule_group=\"slo.yml;slo\"");
        assert_eq!(fails(counts(20, 40, 2)), "1 rule evaluations failed");
        assert!((counts(20, 40, 1).since(&before).unwrap() - 30.0).abs() < f64::EPSILON);
    }
}
