//! The label values of the HTTP metrics, and the metric handles of each operation.
//!
//! Label values come from the operations that the router declares, so clients cannot choose them. Requests outside of declared
//! operations, by path (`other`) or by method (`OTHER`), are only counted: they have no histograms. The handles of each operation are
//! created once and kept, because a lookup by name costs more than the rest of the layer. Only the counters of errors and disconnects
//! are looked up at each use.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use axum::extract::MatchedPath;
use axum::http::Method;

use super::super::Metrics;
use super::super::labels::ErrorType;

/// The `route` label of requests that match no route.
pub const OTHER_ROUTE: &str = "other";
const OTHER_METHOD: &str = "OTHER";
/// The status recorded when the client disconnects before the end of the response. Not registered with IANA, but customary.
pub const CLIENT_LEFT: u16 = 499;

/// The values of the `method` label. `OTHER` stands for every other method, and for a method that the matched route does not declare.
pub const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", OTHER_METHOD];

/// The index of `OTHER` in [`METHODS`].
const OTHER: usize = METHODS.len() - 1;
/// Possible statuses when the route does not declare the method.
const UNDECLARED: [u16; 5] = [403, 405, CLIENT_LEFT, 500, 503];
/// Possible statuses when no route matches.
const UNMATCHED: [u16; 3] = [403, 404, CLIENT_LEFT];

/// An operation that the router declares. All operations together define the label values of the HTTP metrics.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Upper-case method.
    pub method: String,
    /// Route template in the router.
    pub matched: String,
    /// Route template in the label.
    pub route: String,
    /// Whether to record duration and sizes. Off for Socket.IO: the duration of a long poll or a websocket means nothing.
    pub is_measured: bool,
    /// Whether the operation declares a request body; its size is recorded only then.
    pub has_body: bool,
    /// Whether a successful response has a body; its size is recorded only then.
    pub has_answer: bool,
    /// All possible statuses of the operation, without [`CLIENT_LEFT`].
    pub statuses: BTreeSet<u16>,
}

/// Maps a status to the classes of its problems. A response without a problem has the class from [`ErrorType::of`].
pub type Classes = fn(u16) -> Vec<ErrorType>;

/// The handles of all operations.
pub struct Handles {
    pub metrics: Metrics,
    routes: HashMap<Box<str>, Route>,
    other: Route,
    /// Counts all requests for the replica's heartbeat, because the service cannot read its own series.
    pub answered: Arc<AtomicU64>,
}

impl Handles {
    /// Creates all series that requests to the operations can produce, at zero.
    pub fn new(metrics: Metrics, operations: &[Operation], classes: Classes, answered: Arc<AtomicU64>) -> Self {
        let mut routes: HashMap<Box<str>, Route> = HashMap::new();
        for operation in operations {
            let Operation { method, matched, route, .. } = operation;
            let entry = routes.entry(matched.as_str().into()).or_insert_with(|| Route::new(&metrics, route));
            entry.declare(&metrics, method_index(method), operation);
            entry.touch(&metrics, classes, method_index(method), operation.statuses.iter().copied().chain([CLIENT_LEFT]));
        }
        // Methods that a route does not declare: HEAD is handled as GET; any other is rejected, as unsupported or as cross-site.
        for (matched, route) in &routes {
            let gets = operations.iter().filter(|operation| operation.matched == **matched && operation.method == "GET");
            let statuses = gets.flat_map(|get| get.statuses.iter().copied()).chain(UNDECLARED);
            route.touch(&metrics, classes, OTHER, statuses);
        }
        // Requests without a handler: not found, or rejected as cross-site.
        let other = Route::new(&metrics, OTHER_ROUTE);
        for method in 0..METHODS.len() {
            other.touch(&metrics, classes, method, UNMATCHED);
        }
        Self { metrics, routes, other, answered }
    }

    /// The handles for a request with this method and route.
    pub fn operation(&self, method: &Method, route: Option<&MatchedPath>) -> Arc<OperationHandles> {
        let method = method_index(method.as_str());
        match route.and_then(|path| self.routes.get(path.as_str())) {
            Some(route) => {
                let declared = if route.methods[method].get().is_some() { method } else { OTHER };
                route.operation(declared).clone()
            }
            None => self.other.operation(method).clone(),
        }
    }
}

struct Route {
    template: Arc<str>,
    methods: [OnceLock<Arc<OperationHandles>>; METHODS.len()],
}

impl Route {
    fn new(metrics: &Metrics, template: &str) -> Self {
        metrics.http_requests_cancelled.touch(&[template]);
        Self { template: template.into(), methods: Default::default() }
    }

    fn declare(&self, metrics: &Metrics, method: usize, operation: &Operation) -> &Arc<OperationHandles> {
        self.methods[method].get_or_init(|| {
            let histograms = operation.is_measured.then(|| Histograms::new(metrics, [METHODS[method], &self.template], operation));
            Arc::new(OperationHandles::new(METHODS[method], &self.template, histograms))
        })
    }

    /// Creates the series of these statuses of a method, and the matching error series.
    fn touch(&self, metrics: &Metrics, classes: Classes, method: usize, statuses: impl IntoIterator<Item = u16>) {
        for status in statuses {
            self.operation(method).requests(metrics, status);
            for class in classes(status).into_iter().chain(ErrorType::of(status)) {
                metrics.api_errors.touch(&[class.name(), &self.template, &status.to_string()]);
            }
        }
    }

    /// The handles of a method; without histograms if the route does not declare the method.
    fn operation(&self, method: usize) -> &Arc<OperationHandles> {
        self.methods[method].get_or_init(|| Arc::new(OperationHandles::new(METHODS[method], &self.template, None)))
    }
}

/// The histograms of a declared operation.
pub struct Histograms {
    pub duration: metrics::Histogram,
    /// Only if the operation declares a request body.
    pub request_size: Option<metrics::Histogram>,
    /// Only if the operation returns a body.
    pub response_size: Option<metrics::Histogram>,
}

impl Histograms {
    fn new(metrics: &Metrics, labels: [&str; 2], operation: &Operation) -> Self {
        Self {
            duration: metrics.http_request_duration.with(&labels),
            request_size: operation.has_body.then(|| metrics.http_request_size.with(&labels)),
            response_size: operation.has_answer.then(|| metrics.http_response_size.with(&labels)),
        }
    }
}

/// The handles of a method of a route.
pub struct OperationHandles {
    method: &'static str,
    pub route: Arc<str>,
    pub histograms: Option<Histograms>,
    /// Indexed by status, starting at 100.
    requests: Box<[OnceLock<metrics::Counter>]>,
}

impl OperationHandles {
    fn new(method: &'static str, route: &Arc<str>, histograms: Option<Histograms>) -> Self {
        Self { method, route: route.clone(), histograms, requests: (100..600).map(|_| OnceLock::new()).collect() }
    }

    /// The counter of responses with a status.
    pub fn requests(&self, metrics: &Metrics, status: u16) -> &metrics::Counter {
        let slot = usize::from(status.clamp(100, 599)) - 100;
        self.requests[slot].get_or_init(|| metrics.http_requests.with(&[self.method, &self.route, &status.to_string()]))
    }
}

fn method_index(method: &str) -> usize {
    METHODS.iter().position(|known| *known == method).unwrap_or(OTHER)
}
