//! Prometheus' sums over all processes of all replicas. This module adds the values of the last scrape of each process. The counters of the
//! running processes alone are too low, because a counter restarts at 0 with its process, and `increase()` is inexact, because it
//! extrapolates.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use devstack::ports::{MAX_REPLICAS, Port};
use devstack::process::wait_until;
use devstack::stack::Stack;
use serde_json::Value;

use super::counts::Counts;
use crate::prometheus::query_at;

/// Time limit for every replica to be scraped once more.
const SCRAPE_LIMIT: Duration = Duration::from_secs(15);
/// Routes that the clients do not count as requests: of probes, of scrapes, and of Socket.IO, whose connections are counted as sockets.
const NOT_OF_CLIENTS: &str = "/health.*|(/api)?/metrics|/socket.io/";

/// A process of a replica, and the time of its last scrape.
pub struct ReplicaProcess {
    instance: String,
    last_scrape: String,
}

/// All processes that Prometheus has scraped in the last hour.
pub fn processes(stack: &Stack) -> Result<Vec<ReplicaProcess>> {
    let mut last: BTreeMap<(String, String), String> = BTreeMap::new();
    for series in query(stack, "process_start_time_seconds{job=\"backend\"}[1h]", None)? {
        let instance = series["metric"]["instance"].as_str().unwrap_or_default();
        for sample in series["values"].as_array().into_iter().flatten() {
            let started = sample[1].as_str().unwrap_or_default();
            // Samples are in the order of time, so the last one of each process remains.
            last.insert((instance.to_owned(), started.to_owned()), sample[0].to_string());
        }
    }
    Ok(last.into_iter().map(|((instance, _), last_scrape)| ReplicaProcess { instance, last_scrape }).collect())
}

/// The sums of the series that the clients also count.
pub fn read(stack: &Stack) -> Result<Counts> {
    let mut counts = Counts::default();
    for process in processes(stack)? {
        let of = |metric: &str, labels: &str, filter: &str| {
            let selector = format!("{metric}{{job=\"backend\",instance=\"{}\"{filter}}}", process.instance);
            let results = query(stack, &format!("sum by ({labels}) ({selector}) > 0"), Some(&process.last_scrape))?;
            results.into_iter().map(|result| Ok((value(&result)?, result["metric"].clone()))).collect::<Result<Vec<_>>>()
        };
        let text = |metric: &Value, label: &str| metric[label].as_str().unwrap_or_default().to_owned();
        for (count, metric) in of("http_requests_total", "method, route, status", &format!(",route!~\"{NOT_OF_CLIENTS}\""))? {
            counts.requests(&text(&metric, "method"), &text(&metric, "route"), &text(&metric, "status"), count);
        }
        for metric in ["cache_hits_total", "cache_misses_total"] {
            for (count, metric) in of(metric, "cache_type", "")? {
                counts.lookups(&text(&metric, "cache_type"), count);
            }
        }
        for (count, metric) in of("websocket_connections_total", "transport", "")? {
            counts.sockets(&text(&metric, "transport"), count);
        }
        for (count, metric) in of("websocket_messages_total", "direction, event_type", ",event_type!=\"server:draining\"")? {
            counts.messages(&text(&metric, "direction"), &text(&metric, "event_type"), count);
        }
    }
    Ok(counts)
}

/// Waits until every replica has been scraped after this call.
pub fn await_scrapes(stack: &Stack) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
    wait_until("every replica has been scraped again", SCRAPE_LIMIT, || {
        // A scrape's timestamp is the time at which it began.
        let scraped = query(stack, &format!("timestamp(up{{job=\"backend\"}}) > {now} and up == 1"), None)?;
        Ok(scraped.len() == usize::from(MAX_REPLICAS))
    })
}

/// A counter's value, which is a whole number.
fn value(result: &Value) -> Result<u64> {
    let text = result["value"][1].as_str().context("a result without a value")?;
    text.parse().with_context(|| format!("not a whole number: {text}"))
}

fn query(stack: &Stack, query: &str, time: Option<&str>) -> Result<Vec<Value>> {
    query_at(&stack.ports().url(Port::Prometheus)?, query, time)
}
