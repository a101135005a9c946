//! A Socket.IO client over HTTP polling. This module encodes the packets, so the proof needs no Socket.IO library.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::browsing::Browser;

/// Separates packets in one response.
const SEPARATOR: char = '\u{1e}';
/// After this many responses without the expected packet, the packet counts as missing.
const MAX_POLLS: usize = 20;

/// An open connection.
pub struct Polling {
    browser: Browser,
    url: String,
    /// The identifier of the connection: everybody who has it can use the connection.
    pub sid: String,
    asked: u32,
}

impl Polling {
    /// Opens a connection. The URL contains `token`, as if a client had put its token into the query by mistake.
    pub fn open(edge: &str, token: &str) -> Result<Self> {
        let mut browser = Browser::new();
        let url = format!("{edge}/socket.io/?EIO=4&transport=polling&token={token}");
        let opened = browser.get(&url)?;
        let text = opened.body.strip_prefix('0').with_context(|| format!("{}: {}", opened.status, opened.body))?;
        let opened: Value = serde_json::from_str(text)?;
        let sid = opened["sid"].as_str().context("the connection has no identifier")?.to_owned();
        Ok(Self { browser, url: format!("{url}&sid={sid}"), sid, asked: 0 })
    }

    /// Authenticates with a token. Returns the answer: a packet that begins with `40` if the token is accepted, `44` if it is refused.
    pub fn connect(&mut self, token: &str) -> Result<String> {
        self.send(format!("40{}", json!({ "token": token })))?;
        self.receive("4")
    }

    /// Emits an event and returns its acknowledgement.
    pub fn ask(&mut self, event: &str, payload: &Value) -> Result<String> {
        self.asked += 1;
        let number = self.asked;
        self.send(format!("42{number}{}", json!([event, payload])))?;
        self.receive(&format!("43{number}["))
    }

    fn send(&mut self, packet: String) -> Result<()> {
        let answer = self.browser.post_text(&self.url, "text/plain", packet)?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
        Ok(())
    }

    /// Polls until a packet begins with `beginning`, and returns the packet.
    fn receive(&mut self, beginning: &str) -> Result<String> {
        for _ in 0..MAX_POLLS {
            let answer = self.browser.get(&self.url)?;
            ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
            let packets: Vec<&str> = answer.body.split(SEPARATOR).collect();
            if let Some(packet) = packets.iter().find(|packet| packet.starts_with(beginning)) {
                return Ok((*packet).to_owned());
            }
            if packets.contains(&"2") {
                self.send("3".to_owned())?;
            }
        }
        bail!("no packet begins with {beginning}")
    }
}
