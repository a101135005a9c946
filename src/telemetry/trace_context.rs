//! The identity of a piece of work, such as a request, a job or an event of a client: the trace that it belongs to, and its span in that
//! trace. Each log line of the work has both, and the problem of a request has the trace.
//!
//! The identifiers are those of W3C Trace Context. They exist whether or not traces are exported, so that the identifier that a user
//! quotes always leads to the log.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// The share of traces is decided by this many low bits of the identifier, which are random (W3C Trace Context, level 2).
const RANDOM_BITS: u32 = 56;

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// The identifier of a trace: 128 bits, never zero. Its text has 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(u128);

/// The identifier of a span: 64 bits, never zero. Its text has 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(u64);

/// A span elsewhere, in the form in which services pass it on (W3C Trace Context, `traceparent`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Traceparent {
    /// The trace of the span.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether the sender keeps the trace in any case.
    pub is_sampled: bool,
}

/// A piece of work in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace of the work.
    pub trace: TraceId,
    /// The span of the work. Spans of its parts have identifiers of their own.
    pub span: SpanId,
    /// The span that caused this work, if it is in the same trace.
    pub parent: Option<Traceparent>,
}

impl TraceId {
    /// A new identifier; later ones sort behind earlier ones.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7().as_u128())
    }

    /// Reads a UUID, with or without hyphens, as the edge and other proxies write it in `X-Request-Id`. `None` for any other text.
    #[must_use]
    pub fn of_uuid(text: &[u8]) -> Option<Self> {
        // The library also accepts braces and a prefix, which have other lengths.
        let is_plain = matches!(text.len(), 32 | 36);
        is_plain.then(|| Uuid::try_parse_ascii(text).ok()).flatten().map(|id| id.as_u128()).filter(|id| *id != 0).map(Self)
    }

    /// The identifier with these bytes, which are not all zero.
    #[must_use]
    pub fn of_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The identifier in the bytes of OpenTelemetry.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Whether the trace is among this share of all traces, 0 to 1. Every replica decides the same, and a larger share includes a smaller
    /// one (OpenTelemetry, consistent probability sampling).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    pub fn is_among(self, share: f64) -> bool {
        let all = (1_u64 << RANDOM_BITS) as f64;
        let random = (self.0 & ((1 << RANDOM_BITS) - 1)) as f64;
        random >= (1.0 - share) * all
    }
}

impl SpanId {
    /// A new identifier.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random_range(1..=u64::MAX))
    }

    /// The identifier with these bytes, which are not all zero.
    #[must_use]
    pub fn of_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }

    /// The identifier in the bytes of OpenTelemetry.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl Traceparent {
    /// Reads the value of the header `traceparent`, of any version. `None` if it is malformed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = hexadecimal(parts.next()?, 2)?;
        let (trace, span) = (hexadecimal(parts.next()?, 32)?, hexadecimal(parts.next()?, 16)?);
        let flags = hexadecimal(parts.next()?, 2)?;
        // Later versions may have more parts; version 255 is invalid.
        let is_valid = version != 255 && trace != 0 && span != 0 && (version != 0 || parts.next().is_none());
        let span = SpanId(u64::try_from(span).ok()?);
        is_valid.then_some(Self { trace: TraceId(trace), span, is_sampled: flags & 1 == 1 })
    }
}

/// A number with this many lower-case hexadecimal digits.
fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let is_plain = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_plain.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.is_sampled))
    }
}

impl From<Traceparent> for String {
    fn from(parent: Traceparent) -> Self {
        parent.to_string()
    }
}

impl TryFrom<String> for Traceparent {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text).ok_or("must be a traceparent")
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl TraceContext {
    /// Work in a trace.
    #[must_use]
    pub fn in_trace(trace: TraceId) -> Self {
        Self { trace, span: SpanId::random(), parent: None }
    }

    /// Work in the trace of its cause.
    #[must_use]
    pub fn below(parent: Traceparent) -> Self {
        Self { parent: Some(parent), ..Self::in_trace(parent.trace) }
    }

    /// This work, for the work that it causes elsewhere. The flag only passes on the decision of another service.
    #[must_use]
    pub fn traceparent(&self) -> Traceparent {
        Traceparent { trace: self.trace, span: self.span, is_sampled: self.parent.is_some_and(|parent| parent.is_sampled) }
    }

    /// Work that begins a trace.
    #[must_use]
    pub fn root() -> Self {
        Self::in_trace(TraceId::random())
    }

    /// Runs a future as this work.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    /// Like [`Self::scope`], for synchronous code.
    pub fn enter<T>(self, run: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, run)
    }

    /// The current work; `None` outside of any.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| *current).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_a_trace_whatever_its_notation() {
        let trace = TraceId::of_uuid(b"019F0000-0000-7000-8000-00000000abcd");
        assert_eq!(trace.unwrap().to_string(), "019f000000007000800000000000abcd");
        assert_eq!(TraceId::of_uuid(b"019f000000007000800000000000abcd"), trace);
        for other in [&b""[..], b"r-1", b"00000000-0000-0000-0000-000000000000", b"{019f0000-0000-7000-8000-00000000abcd}", &[0xff; 36]] {
            assert_eq!(TraceId::of_uuid(other), None);
        }
    }

    #[test]
    fn a_traceparent_is_read_as_it_is_written_and_any_malformed_one_is_none() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = Traceparent::parse(text).unwrap();
        assert!(parent.is_sampled && parent.to_string() == text);
        assert_eq!(Traceparent::parse(&format!("cc{}-more", &text[2..])), Some(parent), "a later version");
        for malformed in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-+bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Traceparent::parse(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn a_share_of_all_traces_has_this_size_and_contains_each_smaller_share() {
        let traces: Vec<TraceId> = (0..4000).map(|_| TraceId(Uuid::new_v4().as_u128())).collect();
        let among = |share| traces.iter().filter(|trace| trace.is_among(share)).count();
        assert_eq!((among(0.0), among(1.0)), (0, 4000));
        assert!((300..500).contains(&among(0.1)), "{}", among(0.1));
        assert!(traces.iter().all(|trace| !trace.is_among(0.1) || trace.is_among(0.2)));
    }
}
