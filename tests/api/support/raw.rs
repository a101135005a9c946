//! A raw connection, on which a test writes arbitrary bytes and reads what the peer sends.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::Answer;

/// A test fails when its peer sends nothing for this long.
const HANG: Duration = Duration::from_secs(30);

/// A TCP connection with its unconsumed input.
pub struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// A connection with a small receive buffer.
    pub async fn with_little_room(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self { stream: socket.connect(address).await.unwrap(), read: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Like [`send`](Self::send), but returns the error when the peer has closed the connection.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// One response to a request other than HEAD; later input remains buffered.
    pub async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await.expect("no response")
    }

    /// One response to a request with this method; `None` when the connection ends before the end of the headers.
    pub async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let head = self.until(b"\r\n\r\n").await?;
        let head = String::from_utf8(head).expect("the head is not text");
        let mut lines = head.split("\r\n");
        let status: u16 =
            lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok()).expect("no status line");
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
        }
        let length = headers.get("content-length").map(|value| value.to_str().unwrap().parse::<usize>().unwrap());
        let body = if method == "HEAD" || matches!(status, 100..200 | 204 | 304) {
            Vec::new()
        } else if let Some(length) = length {
            self.exactly(length).await
        } else {
            self.chunks().await
        };
        Some(Answer { status, headers, body })
    }

    /// Everything until the peer closes; a reset counts as a close.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.read)
    }

    /// Waits for `needle` and returns the input up to the end of `needle`; `None` when the connection ends first.
    pub async fn until(&mut self, needle: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(needle.len()).position(|window| window == needle) {
                return Some(self.read.drain(..at + needle.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await.expect("no chunk size");
            let size =
                usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim_end(), 16).expect("the chunk size is not hexadecimal");
            body.extend(self.exactly(size).await);
            self.exactly(2).await;
            if size == 0 {
                return body;
            }
        }
    }

    /// The next `length` bytes; `None` when the connection ends first.
    pub async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.read.len() < length {
            if !self.more().await {
                return None;
            }
        }
        Some(self.read.drain(..length).collect())
    }

    async fn exactly(&mut self, length: usize) -> Vec<u8> {
        self.take(length).await.unwrap_or_else(|| panic!("the response's body is incomplete: expected {length} bytes"))
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(HANG, self.stream.read_buf(&mut self.read)).await.expect("the connection hangs");
        read.is_ok_and(|bytes| bytes > 0)
    }
}
