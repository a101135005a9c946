//! The raw connection to a program with a terminal. bollard's own connection is unsuitable, because it decodes the output: if output begins
//! with a byte below three, as binary data may, bollard mistakes the output for a frame header and waits for the rest of the frame.

use bollard::errors::Error;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Maximum number of bytes in an error message. A longer message is discarded.
const WORDS_LIMIT: usize = 64 << 10;

/// Starts an exec that has a terminal; returns its combined input and output.
pub async fn start(socket: &str, exec: &str) -> Result<TokioIo<Upgraded>, Error> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The task ends once the connection is upgraded, or when the sender is dropped.
    tokio::spawn(connection.with_upgrades());
    let request = Request::post(format!("/exec/{exec}/start"))
        .header(HOST, "engine")
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "tcp")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from_static(br#"{"Detach":false,"Tty":true}"#)))?;
    let answer = sender.send_request(request).await?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(TokioIo::new(hyper::upgrade::on(answer).await?));
    }
    let status_code = answer.status().as_u16();
    let words = Limited::new(answer.into_body(), WORDS_LIMIT).collect().await;
    let message = words.map(|words| String::from_utf8_lossy(&words.to_bytes()).into_owned()).unwrap_or_default();
    Err(Error::DockerResponseServerError { status_code, message })
}
