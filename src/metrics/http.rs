//! The HTTP metrics layer. Only the layer that identifies requests is outside of it, so it sees every response to a request with a
//! valid `Host`, including panics, timeouts, rejections and disconnects of clients.
//!
//! Label values come from the operations that the router declares, so clients cannot choose them. Requests outside of declared
//! operations, by path (`other`) or by method (`OTHER`), are only counted: they have no histograms. Handles are created once per
//! operation and kept, because a lookup by name costs more than the rest of the layer.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::MatchedPath;
use axum::http::{Method, Request, Response, StatusCode};
use bytes::Buf;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::Metrics;
use super::kinds::Held;
use super::labels::ErrorType;

/// The `route` label of requests that match no route.
pub const OTHER_ROUTE: &str = "other";
const OTHER_METHOD: &str = "OTHER";
/// The status recorded when the client disconnects before the end of the response. Not registered with IANA, but customary.
pub const CLIENT_LEFT: u16 = 499;
/// The status recorded when the response body fails while it is sent.
const BROKEN: u16 = 500;

/// The values of the `method` label; the last one stands for all other methods.
pub const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", OTHER_METHOD];

/// The index of `OTHER` in [`METHODS`].
const OTHER: usize = METHODS.len() - 1;
/// Possible statuses when the route does not declare the method.
const UNDECLARED: [u16; 5] = [403, 405, CLIENT_LEFT, 500, 503];
/// Possible statuses when no route matches.
const UNMATCHED: [u16; 3] = [403, 404, CLIENT_LEFT];

/// An operation that the router declares. All operations together form the label domain of the HTTP metrics.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Upper-case method.
    pub method: String,
    /// Route template in the router.
    pub matched: String,
    /// Route template in the label.
    pub route: String,
    /// Whether to record duration and size. Off for long polls and sockets, where they mean nothing.
    pub is_measured: bool,
    /// Whether the operation declares a request body; its size is recorded only then.
    pub has_body: bool,
    /// Whether a successful response has a body; its size is recorded only then.
    pub has_answer: bool,
    /// All possible statuses of the operation.
    pub statuses: BTreeSet<u16>,
}

/// Maps a status to the classes of its problems. A response without a problem has the class from [`ErrorType::of`].
pub type Classes = fn(u16) -> Vec<ErrorType>;

/// The layer that records the HTTP metrics of a router.
#[derive(Clone)]
pub struct HttpLayer(Arc<Handles>);

impl HttpLayer {
    /// Creates all series that requests to the operations can produce, at zero. `answered` counts all requests, for callers that
    /// cannot read metric series.
    #[must_use]
    pub fn new(metrics: Metrics, operations: &[Operation], classes: Classes, answered: Arc<AtomicU64>) -> Self {
        let mut routes: HashMap<Box<str>, Route> = HashMap::new();
        for operation in operations {
            let Operation { method, matched, route, .. } = operation;
            let entry = routes.entry(matched.as_str().into()).or_insert_with(|| Route::new(&metrics, route));
            entry.declare(&metrics, method_index(method), operation);
            entry.touch(&metrics, classes, method_index(method), operation.statuses.iter().copied().chain([CLIENT_LEFT]));
        }
        // Methods that a route does not declare: rejected because of the method or as cross-site, or a HEAD handled as GET.
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
        Self(Arc::new(Handles { metrics, routes, other, answered }))
    }
}

impl<S> Layer<S> for HttpLayer {
    type Service = HttpService<S>;
    fn layer(&self, inner: S) -> HttpService<S> {
        HttpService { inner, handles: self.0.clone() }
    }
}

/// The service of [`HttpLayer`].
#[derive(Clone)]
pub struct HttpService<S> {
    inner: S,
    handles: Arc<Handles>,
}

impl<S, B> Service<Request<Body>> for HttpService<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: HttpBody,
{
    type Response = Response<MeasuredBody<B>>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (request, measurement) = Measurement::start(&self.handles, request);
        MeasuredFuture { inner: self.inner.call(request), measurement: Some(measurement) }
    }
}

pin_project! {
    /// Waits for the head of the response. If it is dropped earlier, the client has disconnected.
    pub struct MeasuredFuture<F> {
        #[pin]
        inner: F,
        measurement: Option<Measurement>,
    }
}

impl<F, B, E> Future for MeasuredFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: HttpBody,
{
    type Output = Result<Response<MeasuredBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(context))?;
        let mut measurement = this.measurement.take().expect("a future is not polled after it is ready");
        let (parts, body) = response.into_parts();
        measurement.status = Some(parts.status.as_u16());
        measurement.error = parts.extensions.get::<ErrorType>().copied();
        if body.is_end_stream() || measurement.bodiless || parts.status == StatusCode::SWITCHING_PROTOCOLS {
            measurement.end = End::Whole;
        }
        Poll::Ready(Ok(Response::from_parts(parts, MeasuredBody { inner: body, measurement })))
    }
}

pin_project! {
    /// A response body that counts bytes as they are sent and records the metrics on drop.
    pub struct MeasuredBody<B> {
        #[pin]
        inner: B,
        measurement: Measurement,
    }
}

impl<B: HttpBody> HttpBody for MeasuredBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        // Stays `Failed` if the poll panics.
        let before = mem::replace(&mut this.measurement.end, End::Failed);
        let frame = this.inner.as_mut().poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            this.measurement.sent += frame.data_ref().map_or(0, |data| data.remaining() as u64);
        }
        this.measurement.end = match &frame {
            Poll::Ready(Some(Err(_))) => End::Failed,
            Poll::Ready(None) => End::Whole,
            _ if this.inner.is_end_stream() => End::Whole,
            _ => before,
        };
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// How a response ended, or would end if it were dropped now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client disconnected.
    Left,
    /// The body failed while it was sent: counted as our error, whatever status the head had.
    Failed,
    Whole,
}

/// A request in flight. Records on drop, so cancelled requests are recorded, too.
struct Measurement {
    layer: Arc<Handles>,
    operation: Arc<OperationHandles>,
    start: Instant,
    received: Received,
    sent: u64,
    status: Option<u16>,
    error: Option<ErrorType>,
    /// The protocol sends no body for this request (HEAD), whatever the response's `Content-Length` says.
    bodiless: bool,
    end: End,
    _in_flight: Held,
}

impl Measurement {
    fn start(handles: &Arc<Handles>, request: Request<Body>) -> (Request<Body>, Self) {
        let operation = handles.operation(request.method(), request.extensions().get::<MatchedPath>());
        let bodiless = request.method() == Method::HEAD;
        let is_sized = operation.histograms.as_ref().is_some_and(|histograms| histograms.request_size.is_some());
        let (request, received) = if is_sized { Received::of(request) } else { (request, Received(None)) };
        let measurement = Self {
            layer: handles.clone(),
            operation,
            start: Instant::now(),
            received,
            sent: 0,
            status: None,
            error: None,
            bodiless,
            end: End::Left,
            _in_flight: handles.metrics.http_requests_in_flight.hold(()),
        };
        (request, measurement)
    }
}

impl Drop for Measurement {
    #[expect(clippy::cast_precision_loss, reason = "a body of 2^53 bytes does not occur")]
    fn drop(&mut self) {
        let Self { layer, operation, .. } = self;
        let (status, class) = match (self.end, self.status) {
            (End::Whole, Some(status)) => (status, self.error.or_else(|| ErrorType::of(status))),
            (End::Failed, _) => (BROKEN, ErrorType::of(BROKEN)),
            (End::Left | End::Whole, _) => (CLIENT_LEFT, ErrorType::of(CLIENT_LEFT)),
        };
        operation.requests(&layer.metrics, status).increment(1);
        layer.answered.fetch_add(1, Ordering::Relaxed);
        if let Some(Histograms { duration, request_size, response_size }) = &operation.histograms {
            duration.record(self.start.elapsed().as_secs_f64());
            if let Some(response_size) = response_size {
                response_size.record(self.sent as f64);
            }
            if let Some(request_size) = request_size {
                request_size.record(self.received.bytes() as f64);
            }
        }
        if status == CLIENT_LEFT {
            layer.metrics.http_requests_cancelled.with(&[&operation.route]).increment(1);
        }
        if let Some(class) = class {
            layer.metrics.api_errors.with(&[class.name(), &operation.route, &status.to_string()]).increment(1);
        }
    }
}

/// The size of a request body, counted as it is read, because the announced length is only a claim of the client.
struct Received(Option<Arc<AtomicU64>>);

impl Received {
    fn of(request: Request<Body>) -> (Request<Body>, Self) {
        if request.body().is_end_stream() {
            return (request, Self(None));
        }
        let bytes = Arc::new(AtomicU64::new(0));
        let request = request.map(|inner| Body::new(CountedBody { inner, bytes: bytes.clone() }));
        (request, Self(Some(bytes)))
    }

    fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |bytes| bytes.load(Ordering::Relaxed))
    }
}

struct CountedBody {
    inner: Body,
    bytes: Arc<AtomicU64>,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref) {
            self.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

struct Handles {
    metrics: Metrics,
    routes: HashMap<Box<str>, Route>,
    other: Route,
    answered: Arc<AtomicU64>,
}

impl Handles {
    fn operation(&self, method: &Method, route: Option<&MatchedPath>) -> Arc<OperationHandles> {
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

    /// The handles of a method, without histograms if it is not declared.
    fn operation(&self, method: usize) -> &Arc<OperationHandles> {
        self.methods[method].get_or_init(|| Arc::new(OperationHandles::new(METHODS[method], &self.template, None)))
    }
}

/// The histograms of a declared operation.
struct Histograms {
    duration: metrics::Histogram,
    /// Only if the operation declares a request body.
    request_size: Option<metrics::Histogram>,
    /// Only if the operation returns a body.
    response_size: Option<metrics::Histogram>,
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

struct OperationHandles {
    method: &'static str,
    route: Arc<str>,
    histograms: Option<Histograms>,
    /// Indexed by status, starting at 100.
    requests: Box<[OnceLock<metrics::Counter>]>,
}

impl OperationHandles {
    fn new(method: &'static str, route: &Arc<str>, histograms: Option<Histograms>) -> Self {
        Self { method, route: route.clone(), histograms, requests: (100..600).map(|_| OnceLock::new()).collect() }
    }

    fn requests(&self, metrics: &Metrics, status: u16) -> &metrics::Counter {
        let slot = usize::from(status.clamp(100, 599)) - 100;
        self.requests[slot].get_or_init(|| metrics.http_requests.with(&[self.method, &self.route, &status.to_string()]))
    }
}

fn method_index(method: &str) -> usize {
    METHODS.iter().position(|known| *known == method).unwrap_or(OTHER)
}

impl ErrorType {
    /// The class of a response without a problem body, by its status; `None` for a success.
    #[must_use]
    pub fn of(status: u16) -> Option<Self> {
        Some(match status {
            ..400 => return None,
            401 => Self::Authentication,
            403 => Self::Authorization,
            404 => Self::NotFound,
            405 => Self::Method,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            412 | 428 => Self::Precondition,
            413 | 431 => Self::TooLarge,
            415 => Self::MediaType,
            422 => Self::Validation,
            429 => Self::RateLimit,
            CLIENT_LEFT => Self::Cancelled,
            503 => Self::Unavailable,
            400..500 => Self::BadRequest,
            500.. => Self::Internal,
        })
    }
}
