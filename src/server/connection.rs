//! One TCP connection, from `accept` to its end, including any protocol that it is upgraded to.
//!
//! A connection counts as open until it is dropped. An upgraded connection may be dropped long after the HTTP server has released it.
//! The replica ends a connection through a [`HangUp`], or when the peer accepts none of the pending bytes within the write timeout.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::metrics::kinds::GaugeGuard;

/// A permit for one connection.
pub type Permit = tokio::sync::OwnedSemaphorePermit;

/// A handle that ends a connection: reads return end of stream, and pending writes still complete.
#[derive(Clone, Debug)]
pub struct HangUp(Weak<CancellationToken>);

impl HangUp {
    /// Ends the connection, unless it has already ended.
    pub fn now(&self) {
        if let Some(token) = self.0.upgrade() {
            token.cancel();
        }
    }

    /// Whether the connection has been dropped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// An accepted connection.
pub struct Connection {
    stream: Pin<Box<TimeoutWriter<TcpStream>>>,
    hung_up: Pin<Box<WaitForCancellationFutureOwned>>,
    token: Arc<CancellationToken>,
    _open: GaugeGuard,
    _permit: Permit,
}

impl Connection {
    /// A connection that fails when bytes are pending and its peer accepts none of them for `write_timeout`.
    pub fn new(stream: TcpStream, write_timeout: Duration, open: GaugeGuard, permit: Permit) -> Self {
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(write_timeout));
        let token = Arc::new(CancellationToken::new());
        let hung_up = Box::pin((*token).clone().cancelled_owned());
        Self { stream: Box::pin(stream), hung_up, token, _open: open, _permit: permit }
    }

    /// Ends reading if the write failed: a reader would otherwise wait for a peer that is gone.
    fn end_with<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(written, Poll::Ready(Err(_))) {
            self.token.cancel();
        }
        written
    }

    /// A handle that ends the connection from elsewhere.
    pub fn hang_up(&self) -> HangUp {
        HangUp(Arc::downgrade(&self.token))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.hung_up.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.stream.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream.as_mut().poll_write(context, bytes);
        self.end_with(written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = self.stream.as_mut().poll_write_vectored(context, bytes);
        self.end_with(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.stream.as_mut().poll_flush(context);
        self.end_with(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}
