//! An OTLP endpoint that keeps what replicas send, so that the proof can search it. Protobuf contains every text as plain bytes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use super::places::Place;

/// The paths of the endpoint, and texts that show that telemetry of the journeys has arrived there.
pub const SIGNALS: [(&str, [&str; 3]); 2] = [
    ("/v1/traces", ["/api/projects/{id}/environments", "insert projects", "job environment_change"]),
    ("/v1/logs", ["project created", "operation finished", "request refused"]),
];
/// Largest accepted request body in bytes.
const LIMIT: u64 = 64 << 20;

/// The bodies of all requests by path.
type Received = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A running endpoint. It ends with the process.
pub struct Receiver {
    address: SocketAddr,
    received: Received,
}

impl Receiver {
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, received) = (listener.local_addr()?, Received::default());
        let kept = received.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                thread::spawn(move || serve(&stream, &kept));
            }
        });
        Ok(Self { address, received })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has arrived so far, one place for each signal.
    pub fn places(&self) -> Vec<Place> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |path: &str| received.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        SIGNALS.iter().map(|(path, _)| Place { name: format!("exported to {path}"), text: text(path) }).collect()
    }
}

/// Answers the requests of a connection until it ends.
fn serve(stream: &TcpStream, received: &Received) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).context("no path")?.to_owned();
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            match line.trim_end().to_ascii_lowercase().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse()?,
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        reader.by_ref().take(u64::min(length, LIMIT)).read_to_end(&mut body)?;
        received.lock().unwrap_or_else(PoisonError::into_inner).entry(path).or_default().extend(body);
        writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use devstack::http::send;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_that_was_sent_is_found_at_its_path() {
        let receiver = Receiver::start().unwrap();
        for text in ["one", "two"] {
            assert_eq!(send("POST", &format!("{}/v1/logs", receiver.url()), &[], Some(&json!(text))).unwrap().status, 200);
        }
        let places = receiver.places();
        assert_eq!(places.iter().map(|place| place.text.as_str()).collect::<Vec<_>>(), ["", "\"one\"\"two\""]);
    }
}
