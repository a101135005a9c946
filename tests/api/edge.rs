//! The edge: incomplete and oversized request bodies, refusals, HEAD, the `Host` header, response headers, and the count of requests.
//! See `sockets_edge` for sockets, `edge_replicas` for frozen replicas and the time limit for responses, and `edge_tracing` for traces.
//! The edge: incomplete and oversized request bodies, refusals, HEAD, the `Host` header, response headers, the count of requests, and the
//! load balancers that it trusts.
//! See `sockets_edge` for sockets, and `edge_replicas` for frozen replicas and the time limit for responses.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::routes::misbehaving;
use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, Edge, Stores, TestApp, eventually, own_loopback, when};

/// The largest accepted body in bytes.
const LIMIT: usize = 1_048_576;
/// Long enough for a busy machine, and well below the 30 s for which the edge waits for a body.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// Approximate number of aborted requests per path. If the edge counted them as failures of the replicas, it would eject all three.
const BROKEN: usize = 90;

/// Starts this many replicas and the edge in front of them. Returns `None` if `CADDY` is not set.
async fn stage(count: usize) -> Option<(Vec<TestApp>, Edge)> {
    let stores = Stores::new().await;
    let launch = |number| TestApp::launch(&stores, &[&format!("--replica=replica-{number}")], Some(misbehaving()));
    let replicas: Vec<_> = (0..count).map(launch).collect();
    join_all(replicas.iter().map(TestApp::until_ready)).await;
    let edge = Edge::before(&replicas.iter().map(|replica| replica.address).collect::<Vec<_>>()).await?;
    Some((replicas, edge))
}

/// The head of a request. Its body has a declared length or is sent in chunks.
fn head(method: &str, path: &str, declared: Option<usize>, more: &str) -> String {
    let length = declared.map_or_else(|| "Transfer-Encoding: chunked".to_owned(), |length| format!("Content-Length: {length}"));
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{length}\r\n{more}\r\n")
}

/// A body of this many bytes in wire format: plain if its length is declared, otherwise one chunk. The empty last chunk is omitted.
fn piece(length: usize, declared: Option<usize>) -> String {
    let bytes = "a".repeat(length);
    if declared.is_some() { bytes } else { format!("{length:x}\r\n{bytes}\r\n") }
}

#[tokio::test]
async fn an_aborted_request_is_counted_as_the_clients_failure() {
    let Some((_replicas, edge)) = stage(3).await else { return };
    let broken = [
        (Some(5_000), 3_000),
        (Some(LIMIT), LIMIT - 1),
        (Some(2_000_000), 1_100_000),
        (None, 3_000),
        (None, LIMIT - 1),
        (None, LIMIT),
        (None, LIMIT + 50_000),
    ];
    for path in ["/api/auth/login", "/api/projects", "/test/echo", "/socket.io/?EIO=4&transport=polling"] {
        for (declared, sent) in broken {
            let cut_off = (0..BROKEN / broken.len()).map(|_| async {
                let mut raw = edge.raw().await;
                raw.send(head("POST", path, declared, "")).await;
                // The edge may already have refused the request because of its length, and closed the connection.
                let _refused = raw.try_send(piece(sent, declared)).await;
            });
            join_all(cut_off).await;
        }
        // The edge still uses all three replicas.
        let replicas = (0..30).map(|_| async { edge.get("/version").answer().await.expect(200).header("x-served-by").to_owned() });
        let served: BTreeSet<_> = join_all(replicas).await.into_iter().collect();
        assert_eq!(served.len(), 3, "{path}: {served:?}");
    }
    eventually("all requests have ended", async || {
        let scrape = edge.scrape().await;
        when(scrape.get("caddy_http_requests_in_flight", &[("handler", "reverse_proxy")]) == 0.0)
    })
    .await;
    assert!(edge.ended_with("499").await > 0.0, "the client's failure must count as 499");
    for status in ["500", "502", "503", "504"] {
        assert_eq!(edge.ended_with(status).await, 0.0, "{status}");
    }
}

#[tokio::test]
async fn a_body_is_passed_on_whole_up_to_the_limit_and_refused_beyond_it() {
    let Some((_replicas, edge)) = stage(1).await else { return };
    for is_declared in [true, false] {
        for length in [1, LIMIT - 1, LIMIT] {
            let declared = is_declared.then_some(length);
            let mut raw = edge.raw().await;
            raw.send(format!("{}{}", head("POST", "/test/echo", declared, ""), piece(length, declared))).await;
            raw.send(if is_declared { "" } else { "0\r\n\r\n" }).await;
            assert_eq!(raw.answer().await.expect(200).body.len(), length, "{declared:?}");
        }
        for length in [LIMIT + 1, 2 * LIMIT, 11_000_000] {
            let declared = is_declared.then_some(length);
            let mut raw = edge.raw().await;
            raw.send(head("POST", "/test/echo", declared, "")).await;
            // The edge may refuse the request and close the connection before the whole body is sent.
            let _closed = raw.try_send(piece(length, declared)).await;
            let _closed = raw.try_send(if is_declared { "" } else { "0\r\n\r\n" }).await;
            let answer = raw.answer().await.expect(413);
            assert_eq!(answer.json()["code"], "payload_too_large", "{declared:?}");
        }
    }
}

#[tokio::test]
async fn an_unread_body_does_not_prevent_the_response() {
    let Some((_replicas, edge)) = stage(1).await else { return };
    let refused = [("/nope", 404), ("/api/projects", 401), ("/version", 405), ("/test/panic", 405), ("/socket.io/?EIO=9", 400)];
    for (path, status) in refused {
        for turn in 0..20 {
            let sent = edge.request(Method::POST, path).header("content-type", "application/json").body("a".repeat(LIMIT)).answer();
            assert_eq!(sent.await.status, status, "{path} {turn}");
        }
    }
    assert_eq!(edge.ended_with("502").await, 0.0);
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_the_body() {
    let Some((_replicas, edge)) = stage(1).await else { return };
    let refused = [
        ("POST", "/api/projects", Some(11_000_000), 413),
        ("POST", "/api/projects", Some(LIMIT + 1), 413),
        ("POST", "/metrics", Some(10), 404),
        ("POST", "/metrics", Some(300_000), 404),
        ("POST", "/metrics", None, 404),
        ("PUT", "/health/ready", Some(10), 404),
        ("GET", "/api/metrics", Some(10), 404),
    ];
    for (method, path, declared, status) in refused {
        for expect in ["Expect: 100-continue\r\n", ""] {
            let mut raw = edge.raw().await;
            raw.send(head(method, path, declared, expect)).await;
            let answer = tokio::time::timeout(ANSWER_LIMIT, raw.answer()).await;
            let answer = answer.unwrap_or_else(|_| panic!("no response: {method} {path} {declared:?} {expect}"));
            assert_eq!(answer.status, status, "{method} {path} {declared:?} {expect}");
            // Without this header, the edge would wait for the body before it responds (see `Caddyfile`).
            assert_eq!(answer.header("connection"), "close");
        }
    }
}

#[tokio::test]
async fn a_request_with_expect_gets_one_100_continue_and_then_its_response() {
    let Some((_replicas, edge)) = stage(1).await else { return };
    let mut raw = edge.raw().await;
    raw.send(head("POST", "/test/echo", Some(5), "Expect: 100-continue\r\n")).await;
    assert_eq!(raw.until(b"\r\n\r\n").await.unwrap(), b"HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("hello").await;
    let answer = raw.answer().await.expect(200);
    assert_eq!((answer.text().as_str(), answer.header("x-frame-options")), ("hello", "DENY"));
}

#[tokio::test]
async fn a_head_response_has_the_content_length_of_get_or_none() {
    let Some((replicas, edge)) = stage(1).await else { return };
    let page = replicas[0].get("/").answer().await.expect(200).text();
    let asset = page.split('"').find(|part| part.starts_with("/assets/")).expect("the page links to no assets").to_owned();
    for path in ["/", "/about", &asset, "/favicon.ico", "/health", "/version", "/api/openapi.json", "/api/auth/me", "/nope", "/metrics"] {
        for encoding in ["gzip", "zstd", "gzip, deflate, br, zstd", "identity"] {
            let mut raw = edge.raw().await;
            let request = format!("{path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n\r\n");
            raw.send(format!("HEAD {request}")).await;
            let head = raw.answer_to("HEAD").await.unwrap();
            assert_eq!(raw.rest().await, b"", "{path}");
            let mut raw = edge.raw().await;
            raw.send(format!("GET {request}")).await;
            let get = raw.answer().await;
            assert_eq!(head.status, get.status, "{path}");
            let named = head.header("content-length");
            assert!(
                named.is_empty() || named == get.body.len().to_string(),
                "{path} {encoding}: HEAD names {named} bytes, GET sends {}",
                get.body.len()
            );
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
            if encoding == "identity" {
                assert_eq!(named, get.header("content-length"), "{path}");
            }
        }
    }
}

fn assert_protected(what: &str, answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", Some("nosniff")),
        ("x-frame-options", Some("DENY")),
        ("referrer-policy", None),
        ("permissions-policy", Some("camera=(), geolocation=(), microphone=(), payment=()")),
        ("content-security-policy", None),
        ("cache-control", None),
        ("x-request-id", None),
    ] {
        let values: Vec<_> = answer.headers.get_all(name).iter().collect();
        assert_eq!(values.len(), 1, "{what}: {name}: {values:?}");
        assert!(value.is_none_or(|value| values[0] == value), "{what}: {name}: {values:?}");
    }
    assert_eq!((answer.header("server"), answer.header("via")), ("", ""), "{what}");
    assert_eq!(answer.header("strict-transport-security"), "", "{what}: HSTS must not be sent over plain HTTP (RFC 6797, section 7.2)");
}

#[tokio::test]
async fn the_edge_and_the_replicas_identify_a_request_in_the_same_way_and_ignore_its_claims() {
    let Some((_replicas, edge)) = stage(1).await else { return };
    let claimed = "4bf92f3577b34da6a3ce929d0e0e4736";
    // The edge answers the first path itself.
    for path in ["/metrics", "/nope"] {
        let request = edge.get(path).header("x-request-id", claimed).header("traceparent", format!("00-{claimed}-00f067aa0ba902b7-01"));
        let answer = request.answer().await.expect(404);
        let id = answer.header("x-request-id");
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && id != claimed, "{path}: {id}");
        assert_eq!(answer.json()["trace_id"], id, "{path}");
    }
}

#[tokio::test]
async fn every_response_has_the_protective_headers() {
    let Some((_replicas, edge)) = stage(1).await else { return };
    let login = edge.request(Method::POST, "/api/auth/login").json(&json!({ "email": "nobody@example.org", "password": "wrong password" }));
    let page = edge.get("/").answer().await.expect(200).text();
    let asset = page.split('"').find(|part| part.starts_with("/assets/")).expect("the page links to no assets").to_owned();
    let cases = [
        ("a page", edge.get("/"), 200),
        ("a file", edge.get(&asset), 200),
        ("a response of the API", edge.get("/health"), 200),
        ("a redirect", edge.get("/studio"), 303),
        ("a refusal by a replica", login, 401),
        ("an unknown path", edge.get("/nope"), 404),
        ("a method that is not allowed", edge.request(Method::PUT, "/api/projects"), 405),
        ("a failure of a replica", edge.get("/test/panic"), 500),
        ("an internal route", edge.get("/metrics"), 404),
    ];
    for (what, request, status) in cases {
        let answer = request.answer().await;
        assert_eq!(answer.status, status, "{what}");
        assert_protected(what, &answer);
    }
    let mut raw = edge.raw().await;
    raw.send(head("POST", "/api/projects", Some(LIMIT + 1), "")).await;
    assert_protected("a body that is too large", &raw.answer().await.expect(413));
}

#[tokio::test]
async fn a_response_without_a_replica_has_the_protective_headers_too() {
    let nowhere = SocketAddr::from((own_loopback(), 1));
    let Some(edge) = Edge::alone(&[nowhere], &[]).await else { return };
    // Until two health checks have failed, the edge still tries to connect to the replica.
    let answer = eventually("the replica has left the pool", async || {
        let answer = edge.get("/version").answer().await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!((answer.json()["code"].as_str(), answer.header("retry-after")), (Some("unavailable"), "5"));
    assert_protected("no replica", &answer);
}

#[tokio::test]
async fn a_request_without_exactly_one_host_is_refused() {
    let Some((_replicas, edge)) = stage(1).await else { return };
    for hosts in ["Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n", ""] {
        let mut raw = edge.raw().await;
        raw.send(format!("GET /health HTTP/1.1\r\n{hosts}\r\n")).await;
        assert!(raw.rest().await.starts_with(b"HTTP/1.1 400 "), "{hosts}");
    }
}

#[tokio::test]
async fn only_a_trusted_load_balancer_can_name_the_client() {
    let replica = TestApp::with(&["--registrations-per-minute=1"]).await;
    let register = async |edge: &Edge, address: &str, name: &str| {
        let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD, "display_name": "Somebody" });
        edge.request(Method::POST, "/api/auth/register").header("x-forwarded-for", address).json(&body).answer().await.status
    };
    let Some(trusting) = Edge::with(&[replica.address], &[("EDGE_TRUSTED_PROXIES", "127.0.0.0/8")]).await else { return };
    assert_eq!(register(&trusting, "203.0.113.1", "first").await, 201);
    // A client may claim an address; the load balancer appends the real one.
    assert_eq!(register(&trusting, "198.51.100.9, 203.0.113.1", "second").await, 429);
    assert_eq!(register(&trusting, "203.0.113.2", "third").await, 201);
    let Some(edge) = Edge::before(&[replica.address]).await else { return };
    assert_eq!(register(&edge, "203.0.113.3", "fourth").await, 201);
    assert_eq!(register(&edge, "203.0.113.4", "fifth").await, 429);
}

/// Monitoring selects two handlers of the edge (`monitoring/prometheus/rules/infra.yml`), which together count each request exactly once.
#[tokio::test]
async fn each_request_is_counted_once_with_and_without_host_names() {
    let Some((replicas, _)) = stage(1).await else { return };
    let upstream = [replicas[0].address];
    let names: [(&str, &[&str]); 4] = [
        ("http://", &["vitrine.example", "www.vitrine.example"]),
        ("http://vitrine.example", &["vitrine.example"]),
        ("http://vitrine.example, http://www.vitrine.example", &["vitrine.example", "www.vitrine.example"]),
        ("http://, http://vitrine.example", &["vitrine.example", "www.vitrine.example"]),
    ];
    for (address, hosts) in names {
        let Some(edge) = Edge::with(&upstream, &[("SITE_ADDRESS", address)]).await else { return };
        let before = edge.scrape().await;
        for host in hosts {
            for (path, status) in [("/nope", 404), ("/nope", 404), ("/test/panic", 500)] {
                edge.get(path).header("host", *host).answer().await.expect(status);
            }
        }
        let counted = async |code: &str| {
            let scrape = edge.scrape().await;
            let of = |handler| scrape.since(&before, "caddy_http_request_duration_seconds_count", &[("handler", handler), ("code", code)]);
            of("reverse_proxy") + of("subroute")
        };
        // The edge counts a request when its response has ended.
        eventually(&format!("the requests to {address} are counted"), async || {
            when(counted("404").await + counted("500").await >= 3.0 * hosts.len() as f64)
        })
        .await;
        assert_eq!((counted("404").await, counted("500").await), (2.0 * hosts.len() as f64, hosts.len() as f64), "{address}");
    }
}
