//! The identity of a piece of work, such as a request, a job or an event of a client: the trace that it belongs to, and its span in that
//! trace. Each log line of the work has both, and the problem of a request has the trace.
//!
//! The identifiers are those of W3C Trace Context. They exist whether or not traces are exported, so that the identifier that a user
//! quotes always leads to the log.

use std::fmt;

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

/// A piece of work in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace of the work.
    pub trace: TraceId,
    /// The span of the work. Spans of its parts have identifiers of their own.
    pub span: SpanId,
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
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
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
        Self { trace, span: SpanId::random() }
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
    fn a_share_of_all_traces_has_this_size_and_contains_each_smaller_share() {
        let traces: Vec<TraceId> = (0..4000).map(|_| TraceId(Uuid::new_v4().as_u128())).collect();
        let among = |share| traces.iter().filter(|trace| trace.is_among(share)).count();
        assert_eq!((among(0.0), among(1.0)), (0, 4000));
        assert!((300..500).contains(&among(0.1)), "{}", among(0.1));
        assert!(traces.iter().all(|trace| !trace.is_among(0.1) || trace.is_among(0.2)));
    }
}
