//! A raw WebSocket. A test writes arbitrary RFC 6455 frames to it: valid or invalid, with Engine.IO packets or any other payload.

use std::net::SocketAddr;

use super::{Answer, Raw};

/// The path of an Engine.IO 4 WebSocket.
pub const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
/// A mask of zeros leaves a frame's payload readable in a capture.
const MASK: [u8; 4] = [0; 4];

/// The opcodes of RFC 6455, section 5.2.
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;

/// An upgraded connection.
pub struct RawSocket(Raw);

/// A received frame, or the end of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    Text(String),
    Binary(Vec<u8>),
    /// A close frame with its status code; 1005 if the frame has none (RFC 6455, section 7.1.5).
    Close(u16),
    Ping,
    Pong,
    End,
}

impl RawSocket {
    /// Opens a WebSocket at this path, with extra header lines in the request.
    pub async fn open(address: SocketAddr, path: &str, headers: &[&str]) -> Self {
        let (answer, raw) = Self::ask(address, path, headers).await;
        assert_eq!(answer.status, 101, "{}", answer.text());
        Self(raw)
    }

    /// Opens a WebSocket and connects to Socket.IO with the token of a session.
    pub async fn connected(address: SocketAddr, token: &str) -> Self {
        Self::open(address, WEBSOCKET, &[]).await.introduce(token).await
    }

    /// As [`Self::connected`], with a small receive buffer: when the client stops reading, the peer's writes soon block.
    pub async fn slow(address: SocketAddr, token: &str) -> Self {
        let (answer, raw) = Self::ask_over(Raw::with_little_room(address).await, address, WEBSOCKET, &[]).await;
        assert_eq!(answer.status, 101, "{}", answer.text());
        Self(raw).introduce(token).await
    }

    async fn introduce(mut self, token: &str) -> Self {
        self.text(&format!("40{{\"token\":\"{token}\"}}")).await;
        self.until_text("40").await;
        self
    }

    /// Requests an upgrade and returns the response, whatever it is.
    pub async fn ask(address: SocketAddr, path: &str, headers: &[&str]) -> (Answer, Raw) {
        Self::ask_over(Raw::connect(address).await, address, path, headers).await
    }

    async fn ask_over(mut raw: Raw, address: SocketAddr, path: &str, headers: &[&str]) -> (Answer, Raw) {
        let more = headers.iter().map(|line| format!("{line}\r\n")).collect::<Vec<_>>().concat();
        // The key is the example of RFC 6455, section 1.3.
        raw.send(format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        ))
        .await;
        (raw.answer().await, raw)
    }

    /// Sends an Engine.IO packet in a text frame.
    pub async fn text(&mut self, packet: &str) {
        self.frame(TEXT, packet.as_bytes()).await;
    }

    /// Sends a whole frame; ignores the error if the peer has closed the connection.
    pub async fn frame(&mut self, opcode: u8, payload: &[u8]) {
        let head = head(0x80 | opcode, payload.len() as u64);
        self.bytes(&[&head, payload].concat()).await;
    }

    /// Sends raw bytes; ignores the error if the peer has closed the connection.
    pub async fn bytes(&mut self, bytes: &[u8]) {
        let _refused = self.0.try_send(bytes).await;
    }

    /// Reads the next frame.
    pub async fn next(&mut self) -> Received {
        let Some([first, second]) = self.take().await else { return Received::End };
        let length = match second & 0x7f {
            126 => self.take().await.map(|bytes| u64::from(u16::from_be_bytes(bytes))),
            127 => self.take().await.map(u64::from_be_bytes),
            short => Some(u64::from(short)),
        };
        let Some(payload) = (match length {
            Some(length) => self.0.take(usize::try_from(length).unwrap()).await,
            None => None,
        }) else {
            return Received::End;
        };
        match first & 0x0f {
            TEXT => Received::Text(String::from_utf8(payload).unwrap()),
            BINARY => Received::Binary(payload),
            CLOSE => Received::Close(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))),
            PING => Received::Ping,
            _ => Received::Pong,
        }
    }

    /// Waits for a packet that begins with `start`, and returns the whole packet; skips earlier frames.
    pub async fn until_text(&mut self, start: &str) -> String {
        loop {
            match self.next().await {
                Received::Text(text) if text.starts_with(start) => return text,
                end @ (Received::Close(_) | Received::End) => panic!("{end:?} arrives before {start}"),
                _ => {}
            }
        }
    }

    /// Answers the pings of Engine.IO until the connection ends; returns the code of the peer's close frame, if there is one.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            match self.next().await {
                Received::Close(code) => return Some(code),
                Received::End => return None,
                Received::Text(text) if text == "2" => self.text("3").await,
                _ => {}
            }
        }
    }

    async fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.0.take(LENGTH).await.map(|bytes| bytes.try_into().unwrap())
    }
}

/// The head of a masked frame that claims a payload of this length.
pub fn head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..=125 => head.push(0x80 | u8::try_from(length).unwrap()),
        126..=0xffff => {
            head.push(0x80 | 0x7e);
            head.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(length.to_be_bytes());
        }
    }
    head.extend(MASK);
    head
}
