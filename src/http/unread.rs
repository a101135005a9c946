//! What remains of a request's body when its answer is made without it: a refusal, a route that is not there.
//!
//! It is read and dropped before the answer is sent. A connection that is closed while its other end still sends loses the
//! answer: a client hears nothing, and the edge reports a failure of this replica. Bodies that are read: [`extract`](super::extract).

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use http_body::{Frame, SizeHint};

/// A body of which more remains costs its sender the connection.
const LIMIT: usize = 8 << 20;
/// The edge sends bodies that it has whole. A client that sends slower than this loses the connection.
const PATIENCE: Duration = Duration::from_millis(500);

/// A request's body, for what its handler leaves of it; nothing for a request without one.
pub struct UnreadBody(Option<Arc<Mutex<Body>>>);

/// The same body, for the handler.
struct Handed(Arc<Mutex<Body>>);

impl UnreadBody {
    /// Takes hold of a request's body.
    #[must_use]
    pub fn of(request: Request) -> (Request, Self) {
        // A client that waits to be told to continue has sent nothing yet, and is not told to by a refusal.
        if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
            return (request, Self(None));
        }
        let (parts, body) = request.into_parts();
        let body = Arc::new(Mutex::new(body));
        (Request::from_parts(parts, Body::new(Handed(body.clone()))), Self(Some(body)))
    }

    /// Reads what the handler left, as far as it comes at once.
    pub async fn discard(self) {
        let Some(body) = self.0 else { return };
        // Somebody still reads it: a task that the handler left behind, or the answer's own body.
        if Arc::strong_count(&body) > 1 {
            return;
        }
        let read = async {
            let mut length = 0;
            while let Some(Ok(frame)) = poll_fn(|context| poll(&body, context)).await {
                length += frame.data_ref().map_or(0, Bytes::len);
                if length > LIMIT {
                    break;
                }
            }
        };
        let _ended = tokio::time::timeout(PATIENCE, read).await;
    }
}

impl HttpBody for Handed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        poll(&self.0, context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

fn poll(body: &Mutex<Body>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
    Pin::new(&mut *body.lock().unwrap_or_else(PoisonError::into_inner)).poll_frame(context)
}
