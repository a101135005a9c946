//! k6's summary of a run, as `--summary-export` writes it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

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
    /// Reads an exported summary.
    pub(super) fn read(exported: &Value) -> Result<Self> {
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
}
