//! The size of a request body, counted while the handler reads it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use http_body::{Frame, SizeHint};

/// The size of a request body. The bytes are counted, because a client may send fewer than it announces.
pub struct Received(Option<Arc<AtomicU64>>);

impl Received {
    /// For a body whose size is not recorded.
    pub fn none() -> Self {
        Self(None)
    }

    /// Counts the bytes of the request's body from now on.
    pub fn of(request: Request<Body>) -> (Request<Body>, Self) {
        if request.body().is_end_stream() {
            return (request, Self(None));
        }
        let bytes = Arc::new(AtomicU64::new(0));
        let request = request.map(|inner| Body::new(CountedBody { inner, bytes: bytes.clone() }));
        (request, Self(Some(bytes)))
    }

    /// The number of bytes read so far.
    pub fn bytes(&self) -> u64 {
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
