//! The HTTP server: accepts connections, enforces their limits, and closes them on shutdown.
//!
//! `axum::serve` has no settings for the limits of a request's head or for a deadline of graceful shutdown, so this module has its own
//! accept loop.

mod connection;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

pub use connection::HangUp;

use self::connection::{Connection, Permit};
use crate::metrics::Metrics;
use crate::metrics::labels::{Severity, SystemError};

/// Pause after a failed `accept`, for example because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 100;

/// The limits of connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum number of open connections.
    pub connections: usize,
    /// Time to receive a request's head. It includes the idle time before the request.
    pub header_timeout: Duration,
    /// Time in which a client must accept some of the bytes sent to it.
    pub write_timeout: Duration,
    /// Time for in-flight requests to finish on shutdown.
    pub drain_timeout: Duration,
}

/// Serves until `stop` is cancelled, then finishes the in-flight requests; returns whether all finished in time.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, metrics: Metrics, stop: CancellationToken) -> bool {
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(limits.connections));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                metrics.system_errors.increment((SystemError::Accept, Severity::Error));
                tracing::warn!(error = &error as &dyn std::error::Error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let stream = Connection::new(stream, limits.write_timeout, metrics.active_connections.hold(()), permit);
        let (router, hang_up) = (router.clone(), stream.hang_up());
        let service = TowerToHyperService::new(tower::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(hang_up.clone());
            router.clone().oneshot(request.map(axum::body::Body::new))
        }));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let stop = stop.clone();
        connections.spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(error = &error as &dyn std::error::Error, "connection failed");
            }
        });
    }
    drop(listener);
    connections.close();
    tokio::time::timeout(limits.drain_timeout, connections.wait()).await.is_ok()
}

async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> std::io::Result<(TcpStream, SocketAddr, Permit)> {
    let permit = permits.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, permit))
}
