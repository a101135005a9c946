//! Searches: the part of `TraceQL` that selects spans by conditions that all must hold, such as `{ status = error && kind = server }`.
//!
//! | condition | holds for |
//! | --- | --- |
//! | `kind = server` | spans of this kind |
//! | `status = error` | spans with this status |
//! | `duration >= 300ms` | spans that took at least this long |
//! | `name = "insert projects"` | spans with this name |
//! | `span.http.route != nil` | spans that have this attribute |
//! | `link:traceID = "4bf9…"` | spans that are linked to a span of this trace |

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use crate::id::TraceId;
use crate::refusal::Refusal;

/// The conditions of a search. A span is found if all of them hold.
#[derive(Debug, Default, PartialEq)]
pub struct Filter(Vec<Condition>);

#[derive(Debug, PartialEq)]
enum Condition {
    Kind(SpanKind),
    Status(StatusCode),
    LastsAtLeast(Duration),
    Name(String),
    Has(String),
    LinkTo(TraceId),
}

impl Filter {
    /// Reads a search in `TraceQL`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let inside = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let inside = inside.ok_or_else(|| unsupported(text))?.trim();
        if inside.is_empty() {
            return Ok(Self::default());
        }
        inside.split("&&").map(|condition| Condition::parse(condition.trim())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a span is found.
    pub fn finds(&self, span: &Span) -> bool {
        self.0.iter().all(|condition| condition.holds(span))
    }
}

fn unsupported(text: &str) -> Refusal {
    let known = "kind, status, duration, name, link:traceID and span.<name> != nil, joined by &&";
    Refusal::malformed(format!("this store cannot search for {text}: it knows conditions on {known}"))
}

impl Condition {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let words: Vec<&str> = text.splitn(3, ' ').map(str::trim).collect();
        let parsed = match words[..] {
            ["kind", "=", kind] => SpanKind::from_str_name(&format!("SPAN_KIND_{}", kind.to_ascii_uppercase())).map(Self::Kind),
            ["status", "=", status] => StatusCode::from_str_name(&format!("STATUS_CODE_{}", status.to_ascii_uppercase())).map(Self::Status),
            ["duration", ">=", duration] => duration_of(duration).map(Self::LastsAtLeast),
            ["name", "=", name] => quoted(name).map(|name| Self::Name(name.to_owned())),
            ["link:traceID", "=", id] => quoted(id).and_then(TraceId::parse).map(Self::LinkTo),
            [name, "!=", "nil"] => name.strip_prefix("span.").map(|name| Self::Has(name.to_owned())),
            _ => None,
        };
        parsed.ok_or_else(|| unsupported(text))
    }

    fn holds(&self, span: &Span) -> bool {
        match self {
            Self::Kind(kind) => span.kind() == *kind,
            Self::Status(code) => span.status.as_ref().map_or(StatusCode::Unset, Status::code) == *code,
            Self::LastsAtLeast(least) => duration(span) >= *least,
            Self::Name(name) => span.name == *name,
            Self::Has(name) => span.attributes.iter().any(|attribute| attribute.key == *name),
            Self::LinkTo(id) => span.links.iter().any(|link| TraceId::of_bytes(&link.trace_id) == Some(*id)),
        }
    }
}

/// The time that a span took.
pub fn duration(span: &Span) -> Duration {
    Duration::from_nanos(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano))
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"').filter(|inside| !inside.contains('"'))
}

/// Reads a duration such as `300ms` or `1.5s`.
fn duration_of(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(milliseconds: u64) -> Span {
        Span { name: "one".to_owned(), kind: SpanKind::Server.into(), end_time_unix_nano: milliseconds * 1_000_000, ..Span::default() }
    }

    #[test]
    fn all_conditions_must_hold() {
        let finds = |text: &str, span: &Span| Filter::parse(text).unwrap_or_else(|refusal| panic!("{refusal:?}")).finds(span);
        assert!(finds("{}", &span(1)) && finds("{ }", &span(1)));
        let search = "{ kind = server && status = unset && duration >= 1.5s && name = \"one\" }";
        assert!(finds(search, &span(1500)) && !finds(search, &span(1499)));
        assert!(!finds("{ status = error }", &span(1)) && !finds("{ span.http.route != nil }", &span(1)));
    }

    #[test]
    fn other_searches_are_refused() {
        for text in
            ["", "kind = server", "{ kind = none }", "{ kind = server || status = error }", "{ duration > 1s }", "{ duration >= 5 }"]
        {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        for text in ["{ link:traceID = 4bf9 }", "{ link:traceID = \"xyz\" }", "{ name = one }", "{ resource.a != nil }", "{ && }"] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
