//! The requests that try to reach an internal path through the edge. They are written by hand and sent over TCP, because an HTTP library
//! would normalise or refuse them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use super::spellings;

const ANSWER_LIMIT: Duration = Duration::from_secs(15);
const METHODS: [&str; 12] = ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "QUERY", "get", "PRI"];
/// Headers that claim another client, scheme, host, path prefix or method, carry credentials, imitate a scrape, or ask a proxy to drop
/// headers.
const CLAIMS: [&str; 14] = [
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Host: 127.0.0.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Prefix: /api",
    "Forwarded: for=127.0.0.1;host=127.0.0.1;proto=https",
    "X-Real-IP: 127.0.0.1",
    "True-Client-IP: 127.0.0.1",
    "X-HTTP-Method-Override: GET",
    "Authorization: Bearer metrics",
    "Authorization: Basic YWRtaW46YWRtaW4=",
    "Accept: application/openmetrics-text; version=1.0.0",
    "User-Agent: Prometheus/3.5.0",
    "X-Prometheus-Scrape-Timeout-Seconds: 10",
    "Connection: X-Forwarded-For, Host, close",
];
/// Headers in which some proxies and frameworks expect the path.
const PATH_HEADERS: [&str; 6] = ["X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Path", "Destination"];
/// A public path, which the edge serves.
const PUBLIC: &str = "/health/live";

/// The expected response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A status 4xx or a redirect to the login page, without internal text.
    Refusal,
    /// Any response without internal text: the request itself is for a public path.
    Anything,
}

/// A request to the edge.
pub struct Probe {
    /// The request in one line, for the report.
    pub name: String,
    text: String,
    pub expected: Expected,
}

/// The requests that try to reach a path of the service at `owner` (`host:port`) through the edge. Each of the headers in `extra` is sent
/// in a request of its own.
pub fn of(path: &str, owner: &str, extra: &[String]) -> Vec<Probe> {
    let owner_port = owner.rsplit_once(':').map_or("", |(_, port)| port);
    let local = format!("localhost:{owner_port}");
    let hosts = [owner, &local, "backend-1:4001", "prometheus:9090", "vitrine.internal", "127.0.0.1", "[::1]"];

    let spelled = spellings::of(path).into_iter().map(|target| refused("GET", &target, "", &[]));
    let methods = METHODS.map(|method| refused(method, path, "", &[]));
    let claims = CLAIMS.iter().copied().map(str::to_owned).chain(extra.iter().cloned()).map(|claim| refused("GET", path, "", &[&claim]));
    let by_host = hosts.map(|host| refused("GET", path, host, &[]));
    let absolute = hosts.map(|host| refused("GET", &format!("http://{host}{path}"), "", &[]));
    let other_forms = [
        refused("GET", &format!("https://{owner}{path}"), "", &[]),
        refused("GET", &format!("http://user@{owner}{path}"), owner, &[]),
        refused("CONNECT", owner, owner, &[]),
        refused(
            "GET",
            path,
            "",
            &["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings, close", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"],
        ),
        refused(
            "GET",
            path,
            "",
            &[
                "Upgrade: websocket",
                "Connection: Upgrade, close",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ],
        ),
    ];
    let in_headers =
        PATH_HEADERS.map(|name| Probe { expected: Expected::Anything, ..refused("GET", PUBLIC, "", &[&format!("{name}: {path}")]) });
    let all = spelled.chain(methods).chain(claims).chain(by_host).chain(absolute).chain(other_forms).chain(in_headers);
    all.chain(smuggled(path)).collect()
}

/// A GET request for a path, without any disguise.
pub fn plain(path: &str) -> Probe {
    refused("GET", path, "", &[])
}

fn refused(method: &str, target: &str, host: &str, headers: &[&str]) -> Probe {
    let host = if host.is_empty() { "localhost" } else { host };
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !headers.iter().any(|header| header.starts_with("Connection:")) {
        text.push_str("Connection: close\r\n");
    }
    text.push_str("Content-Length: 0\r\n\r\n");
    let name = [method, target, "Host:", host].into_iter().chain(headers.iter().copied()).collect::<Vec<_>>().join(" ");
    Probe { name, text, expected: Expected::Refusal }
}

/// Requests that hide another request behind headers that two servers may read differently. Each text ends with a plain request. If
/// the edge takes the hidden request for a body, it answers the plain request instead, which closes the connection.
fn smuggled(path: &str) -> Vec<Probe> {
    let last = plain(PUBLIC).text;
    let inner = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let length = inner.len() + 5;
    let lengths = [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Content-Length: {length}\r\nTransfer-Encoding : chunked"),
        format!("Content-Length: {length}\r\nTransfer-Encoding: xchunked"),
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
        format!("Content-Length: {length}\r\nContent-Length: 5"),
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: eA==\r\nTransfer-Encoding: chunked"
            .to_owned(),
    ];
    let probe = |lengths: String| Probe {
        name: format!("{path} smuggled by {}", lengths.replace("\r\n", ", ")),
        text: format!("POST {PUBLIC} HTTP/1.1\r\nHost: localhost\r\n{lengths}\r\n\r\n0\r\n\r\n{inner}{last}"),
        expected: Expected::Anything,
    };
    lengths.map(probe).into()
}

/// The response to a probe.
pub struct Received {
    /// The status of the first response, or 0 if the edge sent none in time.
    pub status: u16,
    /// The head and the body of every response on the connection.
    pub text: String,
}

impl Probe {
    /// Sends the request to the edge at this `host:port`, on a connection of its own.
    pub fn send(&self, edge: &str) -> Result<Received> {
        let mut stream = TcpStream::connect(edge).context("the edge accepts no connection")?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        let mut bytes = Vec::new();
        // Errors are ignored: the edge may refuse a request before it has read the whole request, and then reset the connection.
        let _ = stream.write_all(self.text.as_bytes()).and_then(|()| stream.read_to_end(&mut bytes));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Ok(Received { status, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_requested_in_every_way() {
        let probes = of("/metrics", "127.0.0.1:9090", &["Cookie: a=b".to_owned()]);
        let begins = |text: &str| probes.iter().any(|probe| probe.text.starts_with(text));
        assert!(begins("GET /%6Detrics HTTP/1.1\r\nHost: localhost\r\n"));
        assert!(begins("PROPFIND /metrics "));
        assert!(begins("GET http://127.0.0.1:9090/metrics "));
        assert!(begins("CONNECT 127.0.0.1:9090 "));
        assert!(begins("GET /metrics HTTP/1.1\r\nHost: prometheus:9090\r\n"));
        let has = |text: &str, expected: Expected| probes.iter().any(|probe| probe.text.contains(text) && probe.expected == expected);
        assert!(has("\r\nCookie: a=b\r\n", Expected::Refusal));
        assert!(has("\r\nX-Original-URL: /metrics\r\n", Expected::Anything));
        assert!(has("\r\n\r\n0\r\n\r\nGET /metrics ", Expected::Anything));
    }
}
