//! Drains the part of a request body that the handler did not read, for example because the request was rejected or matched no route.
//!
//! The server reads and discards the rest of the body before it sends the response. If the server closed the connection while the client
//! was still sending, the response would be lost: the client would see a reset, and the edge would report a failure of this replica.
//! [`extract`](super::extract) handles the bodies that handlers read.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

/// Maximum number of bytes to drain. A client that sends more loses its connection.
const DRAIN_LIMIT: usize = 8 << 20;
/// Time limit for draining. A slower client loses its connection. The edge is fast enough, because it buffers each body completely first.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// A handle to the request's body that outlives the handler; `None` if there is nothing to drain.
pub struct UnreadBody(Option<Arc<Mutex<Body>>>);

/// The body in the request that the handler receives.
struct SharedBody(Arc<Mutex<Body>>);

impl UnreadBody {
    /// Creates the handle. The returned request shares its body with the handle.
    #[must_use]
    pub fn of(request: Request) -> (Request, Self) {
        // With `Expect: 100-continue`, the client has not sent the body yet, and does not send it after a rejection.
        if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
            return (request, Self(None));
        }
        let (parts, body) = request.into_parts();
        let body = Arc::new(Mutex::new(body));
        (Request::from_parts(parts, Body::new(SharedBody(body.clone()))), Self(Some(body)))
    }

    /// Reads and discards the rest of the body, within `DRAIN_LIMIT` and `DRAIN_TIMEOUT`.
    pub async fn discard(self) {
        let Some(body) = self.0 else { return };
        // Another owner may still read the body: a task that the handler spawned, or the response body itself.
        if Arc::strong_count(&body) > 1 {
            return;
        }
        let read = async {
            let mut length = 0;
            while let Some(Ok(frame)) = poll_fn(|context| poll(&body, context)).await {
                length += frame.data_ref().map_or(0, Bytes::len);
                if length > DRAIN_LIMIT {
                    break;
                }
            }
        };
        let _ended = tokio::time::timeout(DRAIN_TIMEOUT, read).await;
    }
}

impl HttpBody for SharedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        poll(&self.0, context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().size_hint()
    }
}

fn poll(body: &Mutex<Body>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
    Pin::new(&mut *body.lock()).poll_frame(context)
}
