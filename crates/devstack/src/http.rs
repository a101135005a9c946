//! An HTTP client for servers on this machine or in its containers, such as those of a stack. Over TLS, the client trusts only the
//! certificate authority of the stack's edge, so it cannot reach other servers over HTTPS.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How long a client waits for a whole response by default.
const LIMIT: Duration = Duration::from_secs(10);

/// The certificate authority of the stack's edge. Every client that is created after [`trust`] trusts this authority. The value is global,
/// because a process runs only one edge with HTTPS, and proofs create clients in many places.
static TRUSTED: Mutex<Option<Trusted>> = Mutex::new(None);

#[derive(Clone)]
struct Trusted {
    file: PathBuf,
    roots: RootCerts,
}

/// Trusts the authority whose certificate is in a PEM file.
pub(crate) fn trust(file: &Path) -> Result<()> {
    let pem = fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
    let roots = RootCerts::from([Certificate::from_pem(&pem)?]);
    *TRUSTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Trusted { file: file.to_owned(), roots });
    Ok(())
}

/// The file with the trusted certificate, for programs that need it as an argument.
#[must_use]
pub fn trusted() -> Option<PathBuf> {
    trusted_roots().map(|trusted| trusted.file)
}

fn trusted_roots() -> Option<Trusted> {
    TRUSTED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A response of any status.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers; [`Answer::header`] reads one as text.
    pub headers: ureq::http::HeaderMap,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// Parses the body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("not JSON: {}", self.body))
    }

    /// A header as text; empty if it is missing or is not text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A client that keeps its connections alive, as a browser does.
pub struct Client(Agent);

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client without open connections.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    /// A client that waits no longer than `limit` for a whole response.
    #[must_use]
    pub fn with_limit(limit: Duration) -> Self {
        let roots = trusted_roots().map_or_else(|| RootCerts::from([]), |trusted| trusted.roots);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Redirects are returned as responses.
            .max_redirects(0)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_global(Some(limit))
            // A proxy from the environment must not intercept traffic to our own processes.
            .proxy(None);
        Self(config.build().into())
    }

    /// Sends a request with headers and an optional JSON body.
    pub fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Result<Answer> {
        self.send_text(method, url, headers, body.map(|body| ("application/json", body.to_string())))
    }

    /// Sends a request with headers and an optional body of any content type.
    pub fn send_text(&self, method: &str, url: &str, headers: &[(&str, &str)], body: Option<(&str, String)>) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match body {
            Some((kind, body)) => self.0.run(request.header("content-type", kind).body(body)?),
            None => self.0.run(request.body(())?),
        };
        let mut answer = sent.with_context(|| format!("{method} {url}"))?;
        Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body: answer.body_mut().read_to_string()? })
    }
}

/// Sends a GET on a connection of its own.
pub fn get(url: &str) -> Result<Answer> {
    send("GET", url, &[], None)
}

/// Whether a GET returns 200.
#[must_use]
pub fn is_ok(url: &str) -> bool {
    get(url).is_ok_and(|answer| answer.status == 200)
}

/// Sends a request with headers and an optional JSON body on a connection of its own.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Result<Answer> {
    Client::new().send(method, url, headers, body)
}

/// Percent-encodes a text for a URL.
#[must_use]
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_percent_encoded() {
        assert_eq!(encoded("up{a=~\"5..\"}"), "up%7Ba%3D%7E%225%2E%2E%22%7D");
    }
}
