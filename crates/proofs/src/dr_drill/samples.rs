//! The data of Prometheus: saved while it is stopped, lost, and returned. The same queries must have the same answers.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use devstack::backup::Backups;
use devstack::http::{encoded, get};
use devstack::ports::Port;
use devstack::process::rest;
use devstack::report::Outcome;
use devstack::stack::Stack;
use serde_json::Value;

/// The queries, each for the last half minute. The first returns every sample of every series that the replicas, the edge and the exporters
/// have; the others are of the kind that dashboards have.
const QUERIES: [&str; 4] = [
    "{__name__=~\".+\", job!=\"prometheus\"}",
    "sum by (route, status) (rate(http_requests_total[30s]))",
    "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[30s])))",
    "backup_last_success_timestamp_seconds",
];
/// Scrapes that began before the last instant of the queries have ended after this time.
const SETTLED: Duration = Duration::from_secs(2);

/// Loses and returns the data of Prometheus.
pub fn prove(stack: &mut Stack, backups: &Backups) -> Result<Outcome> {
    let end = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    rest(SETTLED)?;
    let before = answers(stack, end)?;
    let data = stack.stop_prometheus()?;
    let saved = backups.save_folder("prometheus", &data)?;
    fs::remove_dir_all(&data).with_context(|| format!("failed to remove {}", data.display()))?;
    backups.return_folder(&saved, "prometheus", &data)?;
    stack.start_prometheus_again()?;
    let after = answers(stack, end)?;
    let mut series = 0;
    for ((query, before), after) in QUERIES.iter().zip(&before).zip(&after) {
        ensure!(!before.is_empty(), "{query}: no series before the loss");
        ensure!(before == after, "{query}: the answer after the return differs");
        series += before.len();
    }
    Ok(Outcome::passed().with_note(format!("{} queries with {series} series answer as before", QUERIES.len())))
}

/// The answers to all queries, as sorted lines. The last instant is fixed, so that they can be repeated.
fn answers(stack: &Stack, end: u64) -> Result<Vec<Vec<String>>> {
    let prometheus = stack.ports().url(Port::Prometheus)?;
    let answer = |query: &&str| {
        let url = format!("{prometheus}/api/v1/query_range?query={}&start={}&end={end}&step=5", encoded(query), end - 30);
        let answer = get(&url)?.json()?;
        let series = answer["data"]["result"].as_array().with_context(|| format!("{query}: {answer}"))?;
        let mut lines: Vec<String> = series.iter().map(Value::to_string).collect();
        lines.sort_unstable();
        Ok(lines)
    };
    QUERIES.iter().map(answer).collect()
}
