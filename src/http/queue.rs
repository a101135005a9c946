//! Load shedding: refuses requests that have waited too long on the way from the edge, before any work is done for them.
//!
//! The edge adds the time at which it hands a request to a replica. Under overload, requests wait in the queues of the edge, the kernel
//! and the runtime; a replica that serves the late ones first makes all others late, too. A limit on the wait does not refuse requests
//! that the replica itself delays, such as logins that wait for password hashing (docs/adr/0022-overload.md).

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName};
use axum::response::IntoResponse;
use futures_util::future::Either;
use parking_lot::Mutex;
use tower::service_fn;

use super::error::{ApiError, Code};
use super::layers::{Endpoint, is_quiet};
use crate::metrics::Metrics;

/// Milliseconds since the Unix epoch, set by the edge (see the Caddyfile).
static HANDED_OVER: HeaderName = HeaderName::from_static("x-request-start");
/// Longest plausible wait: the edge gives up earlier (`EDGE_ANSWER_TIMEOUT`). A longer wait means that the clocks of the edge and this
/// replica differ.
const IMPOSSIBLE: Duration = Duration::from_mins(1);

/// A pause of the machine makes requests late for a moment. Only lateness that lasts this long is overload. The overload ends when no
/// request has been late for as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Refuses late requests to any route of a router.
#[derive(Clone)]
pub struct QueueLimit {
    limit: Duration,
    metrics: Metrics,
    lateness: Arc<Mutex<Lateness>>,
}

impl QueueLimit {
    /// Requests that waited longer than `limit` are late.
    #[must_use]
    pub fn new(limit: Duration, metrics: Metrics) -> Self {
        Self { limit, metrics, lateness: Arc::default() }
    }

    /// Adds a layer that refuses late requests with `overloaded`, once they have kept coming for a second. Requests without the header of
    /// the edge, probes, assets and Socket.IO are exempt: probes must succeed under overload, and clients of a refused poll would
    /// reconnect.
    pub fn around<S: Endpoint>(&self, mut inner: S) -> impl Endpoint + use<S> {
        let this = self.clone();
        service_fn(move |request: Request| {
            if this.refuses(&request) {
                this.metrics.http_requests_shed.increment(());
                return Either::Right(ready(Ok(ApiError::new(Code::Overloaded).retry_after(1).into_response())));
            }
            Either::Left(inner.call(request))
        })
    }

    fn refuses(&self, request: &Request) -> bool {
        if request.extensions().get::<MatchedPath>().is_some_and(is_quiet) {
            return false;
        }
        let Some(waited) = waited(request.headers(), SystemTime::now()) else { return false };
        self.metrics.http_queue_duration.record((), waited.as_secs_f64());
        waited > self.limit && self.lateness.lock().lasts(Instant::now())
    }
}

/// A period in which late requests keep coming, with gaps below [`PATIENCE`].
#[derive(Default)]
struct Lateness {
    /// The first and the last late request.
    period: Option<(Instant, Instant)>,
}

impl Lateness {
    /// Adds a late request, and returns whether the period has lasted for [`PATIENCE`].
    fn lasts(&mut self, now: Instant) -> bool {
        let began = self.period.filter(|(_, last)| now.duration_since(*last) < PATIENCE).map_or(now, |(began, _)| began);
        self.period = Some((began, now));
        now.duration_since(began) >= PATIENCE
    }
}

/// The time since the edge handed the request over; `None` if the edge did not say so, or if the value is implausible.
fn waited(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let milliseconds = headers.get(&HANDED_OVER)?.to_str().ok()?.parse().ok()?;
    let waited = now.duration_since(UNIX_EPOCH).ok()?.saturating_sub(Duration::from_millis(milliseconds));
    (waited < IMPOSSIBLE).then_some(waited)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_plausible_time_of_the_edge_counts() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for (header, expected) in [
            ("1699999999750", Some(Duration::from_millis(250))),
            ("1700000000040", Some(Duration::ZERO)),
            ("1699999900000", None),
            ("0", None),
            ("-5", None),
            ("", None),
            ("99999999999999999999999", None),
        ] {
            let headers = HeaderMap::from_iter([(HANDED_OVER.clone(), HeaderValue::from_static(header))]);
            assert_eq!(waited(&headers, now), expected, "{header}");
        }
        assert_eq!(waited(&HeaderMap::new(), now), None);
    }

    #[test]
    fn only_lateness_that_lasts_is_overload() {
        let (start, mut lateness) = (Instant::now(), Lateness::default());
        let mut late_at = |milliseconds| lateness.lasts(start + Duration::from_millis(milliseconds));
        assert_eq!([0, 600, 999, 1000, 1900].map(&mut late_at), [false, false, false, true, true]);
        assert_eq!([2900, 3800, 3900].map(late_at), [false, false, true], "a second without a late request ends the period");
    }
}
