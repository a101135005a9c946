//! The line of a request in the log: `request answered` for a share of all requests, and `request slow` for each slow one. The edge logs
//! every request; a replica's line adds the route template and the replica's own duration.

use std::time::{Duration, Instant};

use axum::extract::MatchedPath;
use axum::http::StatusCode;
use tracing::Level;

use crate::metrics::http::CLIENT_LEFT;
use crate::telemetry::trace_context::TraceId;

/// Which requests have a line.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog {
    /// Share of requests with a line, 0 to 1.
    pub sample: f64,
    /// Duration from which on a request has a line in any case.
    pub slow: Duration,
}

/// A request in progress, which writes its line when this value is dropped. So a request whose client does not wait for the response has
/// a line if it was slow.
pub struct AccessLine {
    begun: Instant,
    method: &'static str,
    route: Option<MatchedPath>,
    is_sampled: bool,
    slow: Duration,
    /// The status of the response, when its head is ready.
    status: Option<StatusCode>,
}

impl AccessLog {
    /// Starts to measure a request.
    #[must_use]
    pub fn begin(self, method: &'static str, route: Option<MatchedPath>, id: TraceId) -> AccessLine {
        let is_sampled = self.sample > 0.0 && id.is_among(self.sample);
        AccessLine { begun: Instant::now(), method, route, is_sampled, slow: self.slow, status: None }
    }
}

impl AccessLine {
    /// Ends the measurement: the head of the response is ready.
    pub fn answered(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        let duration = self.begun.elapsed();
        macro_rules! line {
            ($level:expr, $body:literal) => {
                tracing::event!(
                    target: "access",
                    $level,
                    {
                        http.request.method = self.method,
                        http.route = self.route.as_ref().map(MatchedPath::as_str),
                        http.response.status_code = self.status.map_or(CLIENT_LEFT, |status| status.as_u16()),
                        duration = duration.as_secs_f64(),
                    },
                    $body
                )
            };
        }
        if duration >= self.slow {
            line!(Level::WARN, "request slow");
        } else if self.is_sampled && self.status.is_some() {
            line!(Level::INFO, "request answered");
        }
    }
}
