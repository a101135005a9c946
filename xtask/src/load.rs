//! The load: k6 in the background with a script of `load/`, and what it says of itself at its end. What it does to the
//! service and what is good enough is said in the script.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;

use crate::http;
use crate::paths;
use crate::process::{Daemon, Process, capture, pause, task};
use crate::tools::K6;

/// Above the time that it takes to remove what the load made.
const GRACE: Duration = Duration::from_secs(90);

/// A load that is put on; dropping it ends it.
pub struct Load {
    k6: Process,
    report: PathBuf,
}

impl Load {
    /// Puts the load of a profile on an edge for so long, and tells a Prometheus of it if there is one. `report` is where k6
    /// writes its summary; its log lies beside that.
    pub fn start(edge: &str, prometheus: Option<&str>, profile: &str, duration: Duration, report: &Path) -> Result<Self> {
        let script = paths::root().join("load").join(profile).with_extension("js");
        ensure!(script.is_file(), "there is no {}", script.display());
        let folder = report.parent().context("the report lies in a folder")?;
        paths::ensure(folder)?;
        if report.exists() {
            // An earlier one's must not be taken for this one's.
            fs::remove_file(report).with_context(|| format!("cannot remove {}", report.display()))?;
        }
        let mut k6 = Daemon::stopped_by("k6", &K6.path()?, folder, None, Signal::INT)
            .args(["run", "--quiet", "--no-color", "--no-usage-report"])
            // Its own interface, on a port that nobody else has.
            .args(["--address", "127.0.0.1:0"])
            .args([format!("--env=EDGE={edge}"), format!("--env=DURATION={}ms", duration.as_millis())])
            .args([format!("--summary-export={}", report.display())]);
        if let Some(root) = http::trusted() {
            // In place of the authorities that the machine trusts.
            k6 = k6.env("SSL_CERT_FILE", root);
        }
        if let Some(prometheus) = prometheus {
            k6 = k6
                .args(["--out", "experimental-prometheus-rw"])
                .env("K6_PROMETHEUS_RW_SERVER_URL", format!("{prometheus}/api/v1/write"))
                .env("K6_PROMETHEUS_RW_TREND_STATS", "p(50),p(95),p(99)")
                .env("K6_PROMETHEUS_RW_STALE_MARKERS", "true")
                // A Prometheus that is hurried looks back over four seconds.
                .env("K6_PROMETHEUS_RW_PUSH_INTERVAL", "1s");
        }
        Ok(Self { k6: k6.args([script]).grace(GRACE).start()?, report: report.to_owned() })
    }

    /// Waits for its end and answers what it says of itself.
    pub fn finish(mut self) -> Result<Summary> {
        while self.is_running() {
            pause()?;
        }
        self.summary()
    }

    /// Ends it now: journeys are broken off, what was made is removed. Answers what it says of itself.
    pub fn stop(mut self) -> Result<Summary> {
        if self.is_running() {
            self.k6.end(Signal::INT)?;
        }
        self.summary()
    }

    /// Whether it is still put on.
    pub fn is_running(&mut self) -> bool {
        self.k6.check().is_ok()
    }

    fn summary(&self) -> Result<Summary> {
        let text = fs::read_to_string(&self.report).with_context(|| format!("k6 left no summary{}", self.k6.log_tail()))?;
        Summary::read(&serde_json::from_str(&text)?)
    }
}

/// Checks that the gate refuses a run in which scenarios do nothing, and names each of them: k6 lets a threshold on a rate hold
/// when there is no sample. The run is `load/empty.js`, which asks nobody for anything. Returns the number of scenarios.
pub fn refuses_idle_scenarios(folder: &Path) -> Result<usize> {
    let counted = empty_run(folder, "")?;
    let scenarios: Vec<String> = counted.journeys.keys().cloned().collect();
    ensure!(!scenarios.is_empty(), "the gate names no scenario");
    let idle = empty_run(folder, &scenarios.join(","))?;
    for scenario in &scenarios {
        let threshold = format!("journeys_done{{scenario:{scenario}}}: count>0");
        ensure!(counted.thresholds.get(&threshold) == Some(&true), "{threshold} does not hold where a journey was counted");
        ensure!(idle.thresholds.get(&threshold) == Some(&false), "{threshold} holds where {scenario} did nothing");
    }
    Ok(scenarios.len())
}

fn empty_run(folder: &Path, idle: &str) -> Result<Summary> {
    let written = folder.join("empty.json");
    let mut k6 = task(K6.path()?);
    k6.args(["run", "--quiet", "--no-color", "--no-usage-report", "--address", "127.0.0.1:0"])
        .arg(format!("--env=IDLE={idle}"))
        .arg(format!("--summary-export={}", written.display()))
        .arg(paths::root().join("load/empty.js"));
    let said = capture(&mut k6)?;
    ensure!(!said.success, "k6 passed a run without a request");
    let text = fs::read_to_string(&written).with_context(|| format!("k6 left no summary: {}", said.text))?;
    fs::remove_file(&written)?;
    Summary::read(&serde_json::from_str(&text)?)
}

/// What k6 says of a load.
#[derive(Debug, PartialEq)]
pub struct Summary {
    /// Requests that were sent.
    pub requests: f64,
    /// The same in a second.
    pub rate: f64,
    /// The share that was answered otherwise than wanted, or not at all.
    pub failed: f64,
    /// Of the time of a request, in milliseconds: half of them were faster.
    pub p50: f64,
    /// All but a twentieth.
    pub p95: f64,
    /// All but a hundredth.
    pub p99: f64,
    /// The share of the checks that held.
    pub checks: f64,
    /// Socket.IO connections that were opened.
    pub sockets: f64,
    /// By scenario: the journeys that came to their end and those that did not.
    pub journeys: BTreeMap<String, Journeys>,
    /// What is good enough, and whether it was reached.
    pub thresholds: BTreeMap<String, bool>,
}

/// What became of the journeys of a scenario.
#[derive(Debug, Default, PartialEq)]
pub struct Journeys {
    /// Came to their end.
    pub done: f64,
    /// Did not.
    pub failed: f64,
}

impl Summary {
    fn read(exported: &Value) -> Result<Self> {
        let metrics = exported["metrics"].as_object().context("k6's summary has no metrics")?;
        // What never happened is not there.
        let number = |metric: &str, field: &str| metrics.get(metric).and_then(|values| values[field].as_f64()).unwrap_or_default();
        let journeys = metrics.keys().filter_map(|metric| {
            let scenario = metric.strip_prefix("journeys{scenario:")?.strip_suffix('}')?;
            Some((scenario.to_owned(), Journeys { done: number(metric, "passes"), failed: number(metric, "fails") }))
        });
        let thresholds = metrics.iter().flat_map(|(metric, values)| {
            let thresholds = values["thresholds"].as_object().into_iter().flatten();
            // What k6 tells is whether it was crossed.
            thresholds.map(move |(threshold, crossed)| (format!("{metric}: {threshold}"), *crossed == Value::Bool(false)))
        });
        Ok(Self {
            requests: number("http_reqs", "count"),
            rate: number("http_reqs", "rate"),
            failed: number("http_req_failed", "value"),
            p50: number("http_req_duration", "p(50)"),
            p95: number("http_req_duration", "p(95)"),
            p99: number("http_req_duration", "p(99)"),
            checks: number("checks", "value"),
            sockets: number("ws_sessions", "count"),
            journeys: journeys.collect(),
            thresholds: thresholds.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_is_read() {
        let exported = json!({ "metrics": {
            "http_reqs": { "count": 461, "rate": 4.95 },
            // A rate of failures: what "passes" is a request that failed.
            "http_req_failed": { "passes": 6, "fails": 455, "value": 0.013, "thresholds": { "rate<0.01": true } },
            "http_req_duration": { "p(50)": 8.4, "p(95)": 71.8, "p(99)": 114.0, "max": 174.2, "thresholds": { "p(95)<500": false } },
            "checks": { "passes": 99, "fails": 1, "value": 0.99 },
            "ws_sessions": { "count": 21, "rate": 0.2 },
            "journeys": { "passes": 12, "fails": 1, "value": 0.92 },
            "journeys{scenario:builders}": { "passes": 2, "fails": 1, "value": 0.67, "thresholds": { "rate>0.99": true } },
        } });
        let thresholds = [("http_req_duration: p(95)<500", true), ("http_req_failed: rate<0.01", false)];
        let thresholds = thresholds.into_iter().chain([("journeys{scenario:builders}: rate>0.99", false)]);
        let expected = Summary {
            requests: 461.0,
            rate: 4.95,
            failed: 0.013,
            p50: 8.4,
            p95: 71.8,
            p99: 114.0,
            checks: 0.99,
            sockets: 21.0,
            journeys: BTreeMap::from([("builders".to_owned(), Journeys { done: 2.0, failed: 1.0 })]),
            thresholds: thresholds.map(|(name, held)| (name.to_owned(), held)).collect(),
        };
        assert_eq!(Summary::read(&exported).unwrap(), expected);
    }

    #[test]
    fn what_never_happened_is_none() {
        let summary = Summary::read(&json!({ "metrics": {} })).unwrap();
        assert!(summary.requests.abs() < f64::EPSILON && summary.journeys.is_empty() && summary.thresholds.is_empty(), "{summary:?}");
        assert!(Summary::read(&json!([])).is_err());
    }

    #[test]
    fn the_gate_refuses_idle_scenarios() {
        // `cargo xtask load --gate` requires k6 and checks this too; a machine for unit tests may do without.
        if K6.find().is_some() {
            let folder = tempfile::tempdir().unwrap();
            assert!(refuses_idle_scenarios(folder.path()).unwrap() > 1);
        }
    }

    #[test]
    fn a_profile_without_a_script_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let started = Load::start("http://localhost:1", None, "no-such", Duration::from_secs(1), &folder.path().join("k6.json"));
        let error = started.err().unwrap().to_string();
        assert!(error.ends_with("load/no-such.js"), "{error}");
    }
}
