//! The client of the stores: Tempo's API for traces, and Loki's API for log lines. Without containers, one program answers both.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::model::{Line, Span, TraceId, lines, list, spans, time};
use crate::http::{Answer, encoded, get};
use crate::ports::{Port, Ports};

/// The time range of searches.
const RANGE: Duration = Duration::from_hours(1);
/// Tolerance for the clocks of other machines.
const CLOCKS: Duration = Duration::from_mins(1);
/// Maximum number of traces in a result.
const LIMIT: u32 = 500;
/// Maximum number of lines of a trace.
const LINES: u32 = 1000;

/// The addresses of the stores.
pub struct Store {
    /// The URL of Tempo's API.
    pub tempo: String,
    /// The URL of Loki's API.
    pub loki: String,
}

/// A span that a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its trace.
    pub trace: TraceId,
    /// When it began, as time since the Unix epoch.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
}

impl Store {
    /// The stores of a stack.
    pub fn of(ports: &Ports) -> Result<Self> {
        Ok(Self { tempo: ports.url(Port::Tempo)?, loki: ports.url(Port::Loki)? })
    }

    /// The spans of a trace; `None` if the store does not have it.
    pub fn spans(&self, id: TraceId) -> Result<Option<Vec<Span>>> {
        let answer = self.ask(&format!("/api/traces/{id}"))?;
        if answer.status == 404 {
            return Ok(None);
        }
        spans(&read(&answer)?).map(Some)
    }

    /// The spans of the last hour that satisfy a query in `TraceQL`: of each trace at most one, the longest of the first three.
    pub fn search(&self, query: &str) -> Result<Vec<Found>> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let (start, end) = (now.saturating_sub(RANGE).as_secs(), (now + CLOCKS).as_secs());
        let path = format!("/api/search?q={}&start={start}&end={end}&limit={LIMIT}&spss=3", encoded(query));
        let answer = read(&self.ask(&path)?)?;
        Ok(list(&answer["traces"]).filter_map(found).collect())
    }

    /// The traces of the last hour with a span that is linked to this trace.
    pub fn linked_to(&self, id: TraceId) -> Result<Vec<TraceId>> {
        // Tempo compares with identifiers without their leading zeros.
        let id = id.to_string();
        let mut found = self.search(&format!("{{ link:traceID = \"{}\" }}", id.trim_start_matches('0')))?;
        found.sort_by_key(|found| found.start);
        Ok(found.into_iter().map(|found| found.trace).collect())
    }

    /// The log lines of a trace whose spans are from this time range, by their times.
    pub fn lines(&self, id: TraceId, from: Duration, to: Duration) -> Result<Vec<Line>> {
        let query = encoded(&format!("{{service_name=~\".+\"}} | trace_id=\"{id}\""));
        let (start, end) = (from.saturating_sub(CLOCKS).as_nanos(), (to + CLOCKS).as_nanos());
        let path = format!("/loki/api/v1/query_range?query={query}&start={start}&end={end}&limit={LINES}&direction=forward");
        let answer = get(&format!("{}{path}", self.loki)).with_context(|| format!("no log lines: nothing answers at {}", self.loki))?;
        Ok(lines(&read(&answer)?))
    }

    fn ask(&self, path: &str) -> Result<Answer> {
        get(&format!("{}{path}", self.tempo)).map_err(|_| {
            let start = "start the stack with `cargo xtask up --tracing`, or `docker compose --profile tracing up -d --wait`";
            anyhow::anyhow!("no store of traces answers at {}: {start}", self.tempo)
        })
    }
}

fn read(answer: &Answer) -> Result<Value> {
    if answer.status != 200 {
        bail!("the store answers {}: {}", answer.status, answer.body.trim());
    }
    answer.json()
}

fn found(trace: &Value) -> Option<Found> {
    let id = TraceId::of_result(trace["traceID"].as_str()?)?;
    let spans = list(&trace["spanSets"]).flat_map(|set| list(&set["spans"]));
    let spans = spans.filter_map(|span| Some((time(&span["durationNanos"])?, time(&span["startTimeUnixNano"])?)));
    spans.max().map(|(duration, start)| Found { trace: id, start, duration })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_longest_span_of_a_result_counts() {
        let span = |start: &str, duration: &str| json!({ "spanID": "1", "startTimeUnixNano": start, "durationNanos": duration });
        let result = json!({ "traceID": "abc", "spanSets": [{ "spans": [span("5", "70"), span("3", "900")], "matched": 2 }] });
        let found = found(&result).unwrap();
        assert_eq!((found.start, found.duration), (Duration::from_nanos(3), Duration::from_nanos(900)));
        assert_eq!(found.trace.to_string(), format!("{:0>32}", "abc"));
    }
}
