//! The load: runs k6 in the background with a script of `load/` and reads its summary. The script holds the journeys and the thresholds.
//! `load/proof` runs it as a proof; drills use it as background traffic.

pub mod proof;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::http;
use devstack::paths;
use devstack::process::{Daemon, Process, capture, pause, task};
use devstack::tools::K6;
use rustix::process::Signal;
use serde_json::Value;

/// Above the time for removing the data that the load created.
const GRACE: Duration = Duration::from_secs(90);

/// A running load; dropping it stops it.
pub struct Load {
    k6: Process,
    report: PathBuf,
}

impl Load {
    /// Puts the load of a profile on an edge for this long and, if there is a Prometheus, reports its metrics there. k6 writes its summary
    /// to `report` and its log to the same folder.
    pub fn start(edge: &str, prometheus: Option<&str>, profile: &str, duration: Duration, report: &Path) -> Result<Self> {
        let script = paths::root().join("load").join(profile).with_extension("js");
        ensure!(script.is_file(), "there is no script {}", script.display());
        let folder = report.parent().context("the report has no folder")?;
        paths::ensure(folder)?;
        if report.exists() {
            // The summary of an earlier run must not pass for that of this run.
            fs::remove_file(report).with_context(|| format!("failed to remove {}", report.display()))?;
        }
        let mut k6 = Daemon::stopped_by("k6", &K6.path()?, folder, None, Signal::INT)
            .args(["run", "--quiet", "--no-color", "--no-usage-report"])
            // k6's own API, on a free port.
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
                // The shortest windows of a sped-up Prometheus are four seconds.
                .env("K6_PROMETHEUS_RW_PUSH_INTERVAL", "1s");
        }
        Ok(Self { k6: k6.args([script]).grace(GRACE).start()?, report: report.to_owned() })
    }

    /// Waits for the end and returns the summary.
    pub fn finish(mut self) -> Result<Summary> {
        while self.is_running() {
            pause()?;
        }
        self.summary()
    }

    /// Stops the load now: journeys are aborted and their data is removed. Returns the summary.
    pub fn stop(mut self) -> Result<Summary> {
        if self.is_running() {
            self.k6.end(Signal::INT)?;
        }
        self.summary()
    }

    /// Whether the load is still running.
    pub fn is_running(&mut self) -> bool {
        self.k6.check().is_ok()
    }

    fn summary(&self) -> Result<Summary> {
        let text = fs::read_to_string(&self.report).with_context(|| format!("k6 left no summary{}", self.k6.log_tail()))?;
        Summary::read(&serde_json::from_str(&text)?)
    }
}

/// Checks that the gate fails a run in which scenarios do nothing, and names each of them. Thresholds on rates do not suffice for this: k6
/// passes a rate without samples. The run is `load/empty.js`, which sends no requests. Returns the number of scenarios.
pub fn refuses_idle_scenarios(folder: &Path) -> Result<usize> {
    let counted = empty_run(folder, "")?;
    let scenarios: Vec<String> = counted.journeys.keys().cloned().collect();
    ensure!(!scenarios.is_empty(), "the gate names no scenario");
    let idle = empty_run(folder, &scenarios.join(","))?;
    for scenario in &scenarios {
        let threshold = format!("journeys_done{{scenario:{scenario}}}: count>0");
        ensure!(counted.thresholds.get(&threshold) == Some(&true), "{threshold} fails although a journey was counted");
        ensure!(idle.thresholds.get(&threshold) == Some(&false), "{threshold} passes although {scenario} did nothing");
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
    let output = capture(&mut k6)?;
    ensure!(!output.success, "k6 passed a run without a request");
    let text = fs::read_to_string(&written).with_context(|| format!("k6 left no summary: {}", output.text))?;
    fs::remove_file(&written)?;
    Summary::read(&serde_json::from_str(&text)?)
}

/// k6's summary of a load.
#[derive(Debug, PartialEq)]
pub struct Summary {
    /// Number of requests.
    pub requests: f64,
    /// Requests per second.
    pub rate: f64,
    /// Share of requests with an unexpected response or none.
    pub failed: f64,
    /// Median duration of a request, in milliseconds.
    pub p50: f64,
    /// 95th percentile of the duration, in milliseconds.
    pub p95: f64,
    /// 99th percentile of the duration, in milliseconds.
    pub p99: f64,
    /// Share of the checks that passed.
    pub checks: f64,
    /// Number of Socket.IO connections.
    pub sockets: f64,
    /// Finished and failed journeys, by scenario.
    pub journeys: BTreeMap<String, Journeys>,
    /// Whether each threshold was met.
    pub thresholds: BTreeMap<String, bool>,
}

/// The results of a scenario's journeys.
#[derive(Debug, Default, PartialEq)]
pub struct Journeys {
    /// Number of finished journeys.
    pub done: f64,
    /// Number of failed journeys.
    pub failed: f64,
}

impl Summary {
    fn read(exported: &Value) -> Result<Self> {
        let metrics = exported["metrics"].as_object().context("k6's summary has no metrics")?;
        // k6 omits metrics without samples.
        let number = |metric: &str, field: &str| metrics.get(metric).and_then(|values| values[field].as_f64()).unwrap_or_default();
        let journeys = metrics.keys().filter_map(|metric| {
            let scenario = metric.strip_prefix("journeys{scenario:")?.strip_suffix('}')?;
            Some((scenario.to_owned(), Journeys { done: number(metric, "passes"), failed: number(metric, "fails") }))
        });
        let thresholds = metrics.iter().flat_map(|(metric, values)| {
            let thresholds = values["thresholds"].as_object().into_iter().flatten();
            // k6 exports whether the threshold was crossed.
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
            // A rate of failures: "passes" counts failed requests.
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
    fn a_summary_without_metrics_is_empty() {
        let summary = Summary::read(&json!({ "metrics": {} })).unwrap();
        assert!(summary.requests.abs() < f64::EPSILON && summary.journeys.is_empty() && summary.thresholds.is_empty(), "{summary:?}");
        assert!(Summary::read(&json!([])).is_err());
    }

    #[test]
    fn the_gate_refuses_idle_scenarios() {
        // `cargo xtask load --gate` requires k6 and checks this, too; a machine for unit tests may not have it.
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
