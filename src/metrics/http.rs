//! The HTTP metrics layer. The only layer outside of it identifies requests and checks their `Host`. The metrics layer measures every
//! request that passes this check, including those that end with a panic, a timeout, a rejection or a disconnect of the client. `handles`
//! defines the label values; `received` counts the bytes of request bodies.

mod handles;
mod received;

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::MatchedPath;
use axum::http::{Method, Request, Response, StatusCode};
use bytes::Buf;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use self::handles::{Handles, Histograms, OperationHandles};
use self::received::Received;
use super::Metrics;
use super::kinds::GaugeGuard;
use super::labels::ErrorType;

pub use self::handles::{CLIENT_LEFT, Classes, METHODS, OTHER_ROUTE, Operation};

/// The recorded status of a response whose body fails, whatever the status in its head.
const BODY_FAILED: u16 = 500;

/// The layer that records the HTTP metrics of a router.
#[derive(Clone)]
pub struct HttpLayer(Arc<Handles>);

impl HttpLayer {
    /// Creates, at zero, every series that requests to the operations can produce. The layer also counts every request in `answered`,
    /// because the service cannot read its own series.
    #[must_use]
    pub fn new(metrics: Metrics, operations: &[Operation], classes: Classes, answered: Arc<AtomicU64>) -> Self {
        Self(Arc::new(Handles::new(metrics, operations, classes, answered)))
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
    /// Waits for the head of the response. If this future is dropped before the head is ready, its measurement records that the client
    /// disconnected.
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
            measurement.end = End::Complete;
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
        // If the poll panics, the end stays `Failed`.
        let before = mem::replace(&mut this.measurement.end, End::Failed);
        let frame = this.inner.as_mut().poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            this.measurement.sent += frame.data_ref().map_or(0, |data| data.remaining() as u64);
        }
        this.measurement.end = match &frame {
            Poll::Ready(Some(Err(_))) => End::Failed,
            Poll::Ready(None) => End::Complete,
            _ if this.inner.is_end_stream() => End::Complete,
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
    /// The client disconnected before the end of the response.
    Disconnected,
    /// The body failed. Counts as an internal error, even if the head had a successful status.
    Failed,
    Complete,
}

/// A request in flight. It records its metrics on drop, so that cancelled requests are recorded, too.
struct Measurement {
    layer: Arc<Handles>,
    operation: Arc<OperationHandles>,
    start: Instant,
    received: Received,
    sent: u64,
    status: Option<u16>,
    error: Option<ErrorType>,
    /// Whether the method is HEAD. The response is then complete after its head, whatever its `Content-Length`.
    bodiless: bool,
    end: End,
    _in_flight: GaugeGuard,
}

impl Measurement {
    fn start(handles: &Arc<Handles>, request: Request<Body>) -> (Request<Body>, Self) {
        let operation = handles.operation(request.method(), request.extensions().get::<MatchedPath>());
        let bodiless = request.method() == Method::HEAD;
        let is_sized = operation.histograms.as_ref().is_some_and(|histograms| histograms.request_size.is_some());
        let (request, received) = if is_sized { Received::of(request) } else { (request, Received::none()) };
        let measurement = Self {
            layer: handles.clone(),
            operation,
            start: Instant::now(),
            received,
            sent: 0,
            status: None,
            error: None,
            bodiless,
            end: End::Disconnected,
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
            (End::Complete, Some(status)) => (status, self.error.or_else(|| ErrorType::of(status))),
            (End::Failed, _) => (BODY_FAILED, ErrorType::of(BODY_FAILED)),
            (End::Disconnected | End::Complete, _) => (CLIENT_LEFT, ErrorType::of(CLIENT_LEFT)),
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

impl ErrorType {
    /// The error class of a status, for responses without a problem; `None` below 400.
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
