//! Accepts connections and serves them. It replaces `axum::serve`, which always sends a response: a simulated platform or alert receiver
//! with the outage `refuse` must close the connection without a response.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Pause after an error of `accept`, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Time limit for in-flight requests at shutdown: requests to a platform with the outage `hang` never finish.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Marks a response: the server does not send it, but closes the connection.
#[derive(Clone, Copy)]
struct HangUp;

/// Returns a response that makes the server close the connection without sending anything.
pub fn hang_up() -> Response {
    let mut response = ().into_response();
    response.extensions_mut().insert(HangUp);
    response
}

/// Serves until `stop` changes or its sender is dropped, then gives in-flight requests the time `DRAIN_TIMEOUT` to finish. Dropping the
/// future ends all connections immediately.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(answer(stream, router.clone(), stop.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
}

async fn answer(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let Ok(response): Result<_, Infallible> = router.oneshot(request.map(Body::new)).await;
            // When the service returns an error, hyper closes the connection.
            if response.extensions().get::<HangUp>().is_some() { Err(io::Error::other("hung up")) } else { Ok(response) }
        }
    });
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // Ignore errors: a connection may break, and an outage breaks it on purpose.
    let _ = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}
