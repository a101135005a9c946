//! Hostile traffic, to prove that none of it creates a series: beacons, and requests with valid and invalid methods, paths, headers and
//! bodies. This module writes the bytes of requests itself, because an HTTP library would refuse to send some of them. `sockets.mjs` sends
//! hostile Socket.IO events; `attack/series` reads the series of the replicas.
//!
//! The number of a request determines its content, so two runs send the same traffic, except for the account's token and the edge's
//! address.

pub mod series;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use devstack::paths;
use devstack::process::interrupted;
use serde_json::{Value, json};

/// Number of concurrent clients.
const CLIENTS: usize = 8;
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// Long enough for the edge to forward a request before its client disconnects.
const LEAVES_AFTER: Duration = Duration::from_millis(20);
const METHODS: [&str; 14] =
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW", "get", "X", "GETGETGET"];
/// Values in place of an identifier in a path.
const IDENTIFIERS: [&str; 6] = [
    "0192f0c1-2f6b-7c3a-9d5e-6a1b2c3d4e5f",
    "1",
    "..%2f..%2fmetrics",
    "%00",
    "a%0d%0ab",
    "very-long-very-long-very-long-very-long-very-long",
];
const NAMES: [&str; 4] = ["google", "github", "node", "none"];
/// Paths that belong to no operation.
const PATHS: [&str; 12] = [
    "/",
    "/login",
    "/studio",
    "/projects/none",
    "/no/such/thing",
    "//health",
    "/metrics;x=1",
    "/%6d%65trics",
    "/api/../metrics",
    "/assets/none.js",
    "/socket.io/?EIO=4&transport=polling",
    "/socket.io/?EIO=9&transport=none&sid=x",
];
const KINDS: [&str; 5] = ["application/json", "text/plain", "application/xml", "multipart/form-data", ""];
const BODIES: [&str; 7] = [
    "",
    "{}",
    "{",
    "[[[[[[[[]]]]]]]]",
    r#"{"name":"x","email":"a@example.org","password":"wrong wrong","display_name":"x","text":"x","image":"busybox:1.37"}"#,
    r#"{"email":"nobody@example.org","password":"wrong wrong wrong"}"#,
    "\u{0}",
];
/// Events of beacons: some that a page sends, and some that only an attacker sends.
const BEACONS: [&str; 10] = [
    r#"{"kind":"page_view","route":"/"}"#,
    r#"{"kind":"page_view","route":"/evil-N"}"#,
    r#"{"kind":"web_vital","route":"/login","vital":"lcp","value":1200}"#,
    r#"{"kind":"web_vital","route":"/login","vital":"evil-N","value":1e300}"#,
    r#"{"kind":"web_vital","route":"/projects","vital":"cls","value":0.2}"#,
    r#"{"kind":"api_call","endpoint":"/api/fleet","status":200}"#,
    r#"{"kind":"api_call","endpoint":"/api/fleet","status":599}"#,
    r#"{"kind":"asset","type":"script","value":30}"#,
    r#"{"kind":"client_error","type":"error","message":"evil-N"}"#,
    r#"{"kind":"error_boundary","route":"/studio"}"#,
];
/// Malformed requests.
const GARBAGE: [&str; 6] = [
    "\u{16}\u{3}\u{1}\r\n\r\n",
    "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "POST /api/projects HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /api/rum HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
];

/// An attack on an edge.
pub struct Attack {
    /// `host:port` of the edge.
    edge: String,
    /// The token of an account; every attacker can register an account.
    token: String,
    /// The method and the path template of every operation.
    operations: Vec<(String, String)>,
}

/// The number of requests by response status; 0 stands for no response.
pub type Statuses = BTreeMap<u16, usize>;

impl Attack {
    /// Prepares an attack on the edge at this address with an account's token.
    pub fn new(edge: String, token: String) -> Result<Self> {
        let text = std::fs::read_to_string(paths::root().join("docs/openapi.json")).context("failed to read docs/openapi.json")?;
        let description: Value = serde_json::from_str(&text)?;
        let paths = description["paths"].as_object().context("docs/openapi.json has no paths")?;
        let of_path = |(path, operations): (&String, &Value)| {
            let methods: Vec<String> = operations.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase()).collect();
            methods.into_iter().map(|method| (method, path.clone())).collect::<Vec<_>>()
        };
        Ok(Self { edge, token, operations: paths.iter().flat_map(of_path).collect() })
    }

    /// Sends this many requests and beacons.
    pub fn send(&self, count: usize) -> Statuses {
        let next = AtomicUsize::new(0);
        let client = || {
            let mut statuses = Statuses::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count || interrupted() {
                    return statuses;
                }
                *statuses.entry(self.exchange(number).unwrap_or(0)).or_default() += 1;
            }
        };
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            let mut all = Statuses::new();
            for (status, count) in clients.into_iter().filter_map(|client| client.join().ok()).flatten() {
                *all.entry(status).or_default() += count;
            }
            all
        })
    }

    /// Sends one request on a connection of its own and returns the status; 0 if this client disconnects early.
    fn exchange(&self, number: usize) -> Result<u16> {
        let mut stream = TcpStream::connect(&self.edge)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        stream.write_all(&self.request(number))?;
        if number % 50 == 49 {
            // After every fiftieth request, the client disconnects early.
            thread::sleep(LEAVES_AFTER);
            stream.shutdown(Shutdown::Both)?;
            return Ok(0);
        }
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        let status = std::str::from_utf8(&head[9..])?.parse()?;
        // Reads the response to its end; otherwise, the service would see an early disconnect.
        std::io::copy(&mut stream, &mut std::io::sink())?;
        Ok(status)
    }

    fn request(&self, number: usize) -> Vec<u8> {
        if number % 40 == 39 {
            return pick(&GARBAGE, number / 40).as_bytes().to_vec();
        }
        // Every fifth request is malformed or a beacon. The other requests are numbered without gaps, so that no combination is left out.
        let mut text = if number % 5 == 4 { self.beacon(number / 5) } else { self.call(number - number / 5) };
        if number % 97 == 96 {
            text = text.replacen("\r\n", &format!("\r\nX-Large: {}\r\n", "x".repeat(20_000)), 1);
        }
        text.into_bytes()
    }

    fn call(&self, number: usize) -> String {
        // Half of the calls send an operation's own method to its path; the others combine every method with every path.
        let (method, path) = if number.is_multiple_of(2) {
            let (method, template) = pick(&self.operations, number / 2);
            (method.as_str(), filled(template, number))
        } else {
            (*pick(&METHODS, number / 2), self.any_path(number / 2 / METHODS.len(), number))
        };
        // A logout would end the attacker's own session, so the attack signs in instead.
        let path = if method == "POST" && path.contains("log") { "/api/auth/login".to_owned() } else { path };
        let body = pick(&BODIES, number / 3);
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: evil-{number}.example\r\nConnection: close\r\n");
        let mut add = |line: String| {
            head.push_str(&line);
            head.push_str("\r\n");
        };
        match number % 4 {
            0 | 1 => add(format!("Authorization: Bearer {}", self.token)),
            2 => add(format!("Authorization: Bearer evil-{number}")),
            _ => {}
        }
        add(format!("Content-Length: {}", body.len()));
        add(format!("Content-Type: {}", pick(&KINDS, number / 2)));
        add(format!("User-Agent: evil-{number}"));
        add(format!("X-Request-Id: evil-{number}"));
        add(format!("X-Evil-{number}: {number}"));
        match number % 11 {
            0 => add("Sec-Fetch-Site: cross-site".to_owned()),
            1 => add("Origin: http://evil.example".to_owned()),
            2 => add(format!("If-Match: \"{number}\"")),
            3 => add("If-None-Match: *".to_owned()),
            4 => add(format!("Idempotency-Key: evil-{}", number / 22)),
            5 => add(format!("X-Forwarded-For: 10.0.{}.{}", number % 255, number / 255 % 255)),
            6 => add("Accept-Encoding: gzip, zstd".to_owned()),
            7 => add("X-Http-Method-Override: DELETE".to_owned()),
            8 => add("Range: bytes=0-1".to_owned()),
            9 => add(format!("Cookie: vitrine_session=evil-{number}; vitrine_replica=evil")),
            _ => add("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x".to_owned()),
        }
        format!("{head}\r\n{body}")
    }

    /// The path for a turn. Consecutive turns take the paths of all operations in order, then those of [`PATHS`], and then start again.
    fn any_path(&self, turn: usize, number: usize) -> String {
        let turn = turn % (self.operations.len() + PATHS.len());
        match self.operations.get(turn) {
            Some((_, template)) => filled(template, number),
            None => PATHS[turn - self.operations.len()].to_owned(),
        }
    }

    fn beacon(&self, number: usize) -> String {
        let event = pick(&BEACONS, number).replace("-N", &format!("-{number}"));
        let body = if number % 13 == 12 { event } else { json!({ "events": [serde_json::from_str::<Value>(&event).ok()] }).to_string() };
        let kind = if number % 17 == 16 { "text/plain" } else { "application/json" };
        let length = body.len();
        format!(
            "POST /api/rum HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}",
            self.edge
        )
    }
}

fn pick<T>(of: &[T], number: usize) -> &T {
    &of[number % of.len()]
}

/// Fills each parameter of a path template, and sometimes adds a query.
fn filled(template: &str, number: usize) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        let values = if number.is_multiple_of(3) { &NAMES[..] } else { &IDENTIFIERS[..] };
        let value: &str = values[number % values.len()];
        path.push_str(value);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    path.push_str(rest);
    if number % 6 == 5 {
        return format!("{path}?cursor=evil-{number}&limit={number}&status=evil");
    }
    path
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_path_is_requested_with_every_method_and_every_kind_of_beacon_is_sent() {
        let attack = Attack::new("127.0.0.1:1".to_owned(), "token".to_owned()).unwrap();
        // A long attack sends 10,000 requests, beacons and events; 20 % are Socket.IO events.
        let texts: Vec<String> = (0..8_000).map(|number| String::from_utf8(attack.request(number)).unwrap()).collect();
        let parts = |path: &str| path.split('?').next().unwrap().split('/').map(str::to_owned).collect::<Vec<_>>();
        let heads: BTreeSet<(&str, Vec<String>)> = texts
            .iter()
            .filter_map(|text| {
                let mut words = text.lines().next()?.split(' ');
                Some((words.next()?, parts(words.next()?)))
            })
            .collect();
        for path in attack.operations.iter().map(|(_, path)| path.as_str()).chain(PATHS) {
            let wanted = parts(path);
            let is_at = |met: &[String]| {
                met.len() == wanted.len() && met.iter().zip(&wanted).all(|(met, wanted)| wanted.starts_with('{') || met == wanted)
            };
            let met: BTreeSet<&str> = heads.iter().filter(|(_, met)| is_at(met)).map(|(method, _)| *method).collect();
            for method in METHODS {
                // The attack sends a sign-in instead of each POST to a path that contains `log`.
                assert!(met.contains(method) || (method == "POST" && path.contains("log")), "{method} {path}");
            }
        }
        for beacon in BEACONS {
            let kind = beacon.split(',').next().unwrap().trim_start_matches('{');
            assert!(texts.iter().any(|text| text.contains(kind)), "{beacon}");
        }
    }
}
