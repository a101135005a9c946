//! Spans and log lines, read from the JSON of Tempo and Loki.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::hexadecimal::hexadecimal;

/// The labels of a line in Loki that describe its span begin so.
const OF_SPAN: &str = "span_";
/// The labels that say where a line comes from. All others are attributes of the line.
const ORIGIN: [&str; 12] = [
    "deployment_environment_name",
    "detected_level",
    "flags",
    "job",
    "observed_timestamp",
    "scope_name",
    "service_instance_id",
    "service_name",
    "service_version",
    "severity_number",
    "severity_text",
    "trace_id",
];

/// The identifier of a trace, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TraceId(u128);

impl TraceId {
    /// Reads 32 hexadecimal digits, or a UUID with its hyphens.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.replace('-', "");
        let is_hexadecimal = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hexadecimal.then(|| u128::from_str_radix(&digits, 16).ok()).flatten()?;
        (number != 0).then_some(Self(number))
    }

    /// Reads the identifier in a result of a search; Tempo omits its leading zeros.
    pub(super) fn of_result(text: &str) -> Option<Self> {
        Self::parse(&format!("{text:0>32}"))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A span of a trace.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its identifier, in hexadecimal digits.
    pub id: String,
    /// The identifier of its parent; `None` for a root.
    pub parent: Option<String>,
    /// Its name, such as `insert projects`.
    pub name: String,
    /// `internal`, `server`, `client`, `producer` or `consumer`.
    pub kind: String,
    /// When it began, as time since the Unix epoch.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// Whether it failed.
    pub is_error: bool,
    /// Its attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// The traces that it is linked to.
    pub links: Vec<TraceId>,
    /// The process that sent it: a replica or the edge.
    pub sender: String,
}

/// A log line of a trace.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was written, as time since the Unix epoch.
    pub time: Duration,
    /// The span during which it was written, in hexadecimal digits.
    pub span: String,
    /// Its severity, such as `WARN`.
    pub severity: String,
    /// What happened.
    pub body: String,
    /// Its attributes as text; Loki writes their names with underscores.
    pub attributes: BTreeMap<String, String>,
    /// The replica that wrote it.
    pub sender: String,
}

/// The spans in Tempo's answer.
pub(super) fn spans(answer: &Value) -> Result<Vec<Span>> {
    let mut spans = Vec::new();
    for batch in list(&answer["batches"]) {
        let resource = attributes(&batch["resource"]["attributes"]);
        let sender = resource.get("service.instance.id").or_else(|| resource.get("service.name")).cloned().unwrap_or_default();
        for span in list(&batch["scopeSpans"]).flat_map(|scope| list(&scope["spans"])) {
            spans.push(Span::read(span, &sender).with_context(|| format!("not a span: {span}"))?);
        }
    }
    Ok(spans)
}

impl Span {
    fn read(span: &Value, sender: &str) -> Option<Self> {
        let (start, end) = (time(&span["startTimeUnixNano"])?, time(&span["endTimeUnixNano"])?);
        let links = list(&span["links"]).map(|link| TraceId::parse(&identifier(&link["traceId"], 32)?));
        Some(Self {
            id: identifier(&span["spanId"], 16)?,
            parent: identifier(&span["parentSpanId"], 16).filter(|parent| !parent.is_empty()),
            name: span["name"].as_str().unwrap_or_default().to_owned(),
            kind: span["kind"].as_str().unwrap_or("SPAN_KIND_INTERNAL").trim_start_matches("SPAN_KIND_").to_ascii_lowercase(),
            start,
            duration: end.saturating_sub(start),
            is_error: span["status"]["code"] == "STATUS_CODE_ERROR",
            attributes: attributes(&span["attributes"]),
            links: links.collect::<Option<_>>()?,
            sender: sender.to_owned(),
        })
    }

    /// When it ended, as time since the Unix epoch.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.start + self.duration
    }

    /// An attribute; empty if it is missing.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// The log lines in Loki's answer, by their times.
pub(super) fn lines(answer: &Value) -> Vec<Line> {
    let mut lines: Vec<Line> = list(&answer["data"]["result"]).flat_map(lines_of_stream).collect();
    lines.sort_by_key(|line| line.time);
    lines
}

fn lines_of_stream(stream: &Value) -> Vec<Line> {
    let label = |name: &str| stream["stream"][name].as_str().unwrap_or_default().to_owned();
    let first = |names: [&str; 2]| names.into_iter().map(label).find(|value| !value.is_empty()).unwrap_or_default();
    let labels = stream["stream"].as_object().into_iter().flatten();
    let own = labels.filter(|(name, _)| !ORIGIN.contains(&name.as_str()) && !name.starts_with(OF_SPAN));
    let attributes: BTreeMap<String, String> =
        own.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
    let line = |value: &Value| {
        Some(Line {
            time: time(&value[0])?,
            span: label("span_id"),
            severity: first(["severity_text", "detected_level"]).to_ascii_uppercase(),
            body: value[1].as_str()?.to_owned(),
            attributes: attributes.clone(),
            sender: first(["service_instance_id", "service_name"]),
        })
    };
    list(&stream["values"]).filter_map(line).collect()
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A time in nanoseconds since the Unix epoch, as JSON's text.
pub(super) fn time(value: &Value) -> Option<Duration> {
    value.as_str()?.parse().ok().map(Duration::from_nanos)
}

/// An identifier in hexadecimal digits. Tempo writes Base64; OTLP's own JSON has hexadecimal digits.
fn identifier(value: &Value, digits: usize) -> Option<String> {
    let text = value.as_str()?;
    if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    STANDARD.decode(text).ok().map(|bytes| hexadecimal(&bytes))
}

fn attributes(value: &Value) -> BTreeMap<String, String> {
    let read = |attribute: &Value| {
        let value = attribute["value"].as_object()?.values().next()?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some((attribute["key"].as_str()?.to_owned(), text))
    };
    list(value).filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_trace_id_is_32_digits_or_a_uuid() {
        let id = TraceId::parse("019F0000-0000-7000-8000-00000000abcd").unwrap();
        assert_eq!(id.to_string(), "019f000000007000800000000000abcd");
        assert_eq!(TraceId::of_result("19f000000007000800000000000abcd"), Some(id));
        for other in ["", "slow", "019f", "00000000000000000000000000000000", "+19f000000007000800000000000abcd"] {
            assert_eq!(TraceId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn identifiers_are_read_in_base64_and_in_hexadecimal_digits() {
        let span = |trace: &str, id: &str| {
            json!({ "batches": [{ "scopeSpans": [{ "spans": [{
                "traceId": trace, "spanId": id, "name": "one", "startTimeUnixNano": "5", "endTimeUnixNano": "7",
                "links": [{ "traceId": trace }],
                "attributes": [{ "key": "http.response.status_code", "value": { "intValue": "201" } }],
            }] }] }] })
        };
        for answer in [span("S/kvNXezTaajzpKdDg5HNg==", "APBnqgupArc="), span("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")] {
            let spans = spans(&answer).unwrap();
            assert_eq!((spans[0].id.as_str(), &spans[0].parent), ("00f067aa0ba902b7", &None));
            assert_eq!(spans[0].links, [TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736").unwrap()]);
            assert_eq!((spans[0].duration, spans[0].attribute("http.response.status_code")), (Duration::from_nanos(2), "201"));
        }
        assert!(spans(&span("4bf9", "?")).is_err());
    }

    #[test]
    fn a_line_has_its_attributes_and_none_of_its_origin() {
        let stream = json!({
            "stream": {
                "service_name": "vitrine", "service_instance_id": "backend-1", "severity_text": "WARN", "span_id": "ab",
                "span_kind": "mail", "http_route": "/",
            },
            "values": [["7", "request slow"]],
        });
        let lines = lines(&json!({ "data": { "result": [stream] } }));
        assert_eq!((lines[0].body.as_str(), lines[0].severity.as_str(), lines[0].sender.as_str()), ("request slow", "WARN", "backend-1"));
        assert_eq!(lines[0].attributes, BTreeMap::from([("http_route".to_owned(), "/".to_owned())]));
    }
}
