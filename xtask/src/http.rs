//! HTTP to the processes that we started. Not for anything outside this machine: over TLS, it trusts the authorities of our own
//! edges and no others.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The certificates of the authorities of our edges: what clients that are made from now on trust. A process runs one such edge, and
/// proofs make clients in so many places that each cannot be handed this.
static TRUSTED: Mutex<Option<Trusted>> = Mutex::new(None);

#[derive(Clone)]
struct Trusted {
    file: PathBuf,
    roots: RootCerts,
}

/// Trusts the authority whose certificate is in a file, in PEM.
pub fn trust(file: &Path) -> Result<()> {
    let pem = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let roots = RootCerts::from([Certificate::from_pem(&pem)?]);
    *TRUSTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Trusted { file: file.to_owned(), roots });
    Ok(())
}

/// The file with the certificate that is trusted, for programs that have to be given it.
pub fn trusted() -> Option<PathBuf> {
    trusted_roots().map(|trusted| trusted.file)
}

fn trusted_roots() -> Option<Trusted> {
    TRUSTED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// An answer, whatever its status.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: ureq::http::HeaderMap,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("not JSON: {}", self.body))
    }

    /// A header as text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Keeps its connections, as a browser does.
pub struct Client(Agent);

impl Client {
    /// A client without a connection yet.
    pub fn new() -> Self {
        let roots = trusted_roots().map_or_else(|| RootCerts::from([]), |trusted| trusted.roots);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect is an answer, too.
            .max_redirects(0)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_global(Some(Duration::from_secs(10)))
            // A proxy of the environment must not come between us and our own processes.
            .proxy(None);
        Self(config.build().into())
    }

    /// Any method, with headers and a JSON body.
    pub fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Result<Answer> {
        self.send_text(method, url, headers, body.map(|body| ("application/json", body.to_string())))
    }

    /// Any method, with headers and a body of some content type.
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

/// GET.
pub fn get(url: &str) -> Result<Answer> {
    send("GET", url, &[], None)
}

/// Whether a GET is answered with 200.
pub fn is_ok(url: &str) -> bool {
    get(url).is_ok_and(|answer| answer.status == 200)
}

/// Any method, with headers and a JSON body, on a connection of its own.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Result<Answer> {
    Client::new().send(method, url, headers, body)
}
