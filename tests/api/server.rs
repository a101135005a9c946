//! Connections and requests: time and size limits, malformed input, cross-site requests, and the headers of every response.

use reqwest::Method;
use serde_json::json;

use crate::support::routes::misbehaving;
use crate::support::users::PASSWORD;
use crate::support::{Ask, Scrape, TestApp, eventually, when};

async fn until_alone(app: &TestApp) {
    // A scrape fails if the server closes the client's idle connection just when the client uses it again. A failed scrape is repeated.
    eventually("the raw connections are closed", async || {
        let scraped = app.get("/metrics").try_answer().await.ok()?;
        when(Scrape::parse(&scraped.text()).get("active_connections", &[]) <= 2.0)
    })
    .await;
}

#[tokio::test]
async fn a_head_that_arrives_too_slowly_times_out() {
    let app = TestApp::with(&["--header-timeout=300ms"]).await;
    for start in ["", "G", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", "GET / HTTP/1.1\r\n"] {
        let mut raw = app.raw().await;
        raw.send(start).await;
        let answered = raw.rest().await;
        assert!(answered.is_empty() || answered.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answered));
        app.get("/health").answer().await.expect(200);
    }
    until_alone(&app).await;
}

#[tokio::test]
async fn many_slow_heads_affect_no_other_request_and_are_all_closed() {
    let app = TestApp::with(&["--header-timeout=500ms"]).await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut raw = app.raw().await;
        raw.send("POST /api/auth/login HTTP/1.1\r\nHost: x\r\nX-").await;
        slow.push(raw);
    }
    app.get("/health").answer().await.expect(200);
    for mut raw in slow {
        raw.rest().await;
    }
    until_alone(&app).await;
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_the_client_s_failure_and_not_ours() {
    let app = TestApp::with(&["--request-timeout=1s"]).await;
    let before = app.settled().await;
    let mut raw = app.raw().await;
    raw.send("POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"email\":").await;
    raw.answer().await.problem(408, "body_timeout");
    assert_eq!(raw.rest().await, b"", "the server must send no second response");
    let after = app.settled().await;
    let login = ("route", "/api/auth/login");
    assert_eq!(after.since(&before, "http_requests_total", &[login, ("status", "408")]), 1.0);
    assert_eq!(after.since(&before, "api_errors_total", &[login, ("type", "timeout"), ("status", "408")]), 1.0);
}

#[tokio::test]
async fn a_connection_that_is_idle_too_long_is_closed() {
    let app = TestApp::with(&["--header-timeout=300ms"]).await;
    let mut raw = app.raw().await;
    raw.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    raw.answer().await.expect(200);
    assert_eq!(raw.rest().await, b"");
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let app = TestApp::start().await;
    let many = (0..150).map(|index| format!("X-{index}: y\r\n")).collect::<Vec<_>>().concat();
    let long = format!("X-Long: {}\r\n", "y".repeat(300_000));
    let path = format!("/{}", "x".repeat(300_000));
    for (target, headers) in [("/health", &*many), ("/health", &*long), (&*path, "")] {
        let mut raw = app.raw().await;
        // The server may close the connection before the whole request is sent.
        let _closed = raw.try_send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await;
        let answered = String::from_utf8_lossy(&raw.rest().await).into_owned();
        assert!(answered.is_empty() || answered.starts_with("HTTP/1.1 431") || answered.starts_with("HTTP/1.1 414"), "{answered}");
    }
    let few = (0..80).map(|index| format!("X-{index}: y\r\n")).collect::<Vec<_>>().concat();
    let mut raw = app.raw().await;
    raw.send(format!("GET /health HTTP/1.1\r\nHost: x\r\n{few}\r\n")).await;
    raw.answer().await.expect(200);
}

#[tokio::test]
async fn non_http_input_is_refused_and_affects_no_other_request() {
    let app = TestApp::start().await;
    let smuggled = "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n";
    for text in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nHost x\r\n\r\n",
        "GET / HTTP/1.1\r\nBad Name: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
    ] {
        let mut raw = app.raw().await;
        raw.send(text).await;
        let answered = String::from_utf8_lossy(&raw.rest().await).into_owned();
        assert!(answered.is_empty() || answered.starts_with("HTTP/1.1 4") || answered.starts_with("HTTP/1.1 5"), "{text:?}: {answered}");
        assert!(!answered.contains("HTTP/1.1 500"), "{text:?}: {answered}");
    }
    let mut raw = app.raw().await;
    raw.send(smuggled).await;
    let first = raw.answer_to("POST").await;
    assert!(first.is_none_or(|answer| answer.status >= 400), "a request with `Content-Length` and `Transfer-Encoding` must not succeed");
    assert_eq!(app.settled().await.get("uncaught_exceptions_total", &[]), 0.0);
    until_alone(&app).await;
}

/// A request must have exactly one valid `Host` header; only an HTTP/1.0 request may omit it (RFC 9112, section 3.2).
#[tokio::test]
async fn a_request_names_one_host() {
    let app = TestApp::start().await;
    let ask = async |head: &str| {
        let mut raw = app.raw().await;
        raw.send(format!("GET /health {head}\r\n\r\n")).await;
        raw.answer().await
    };
    for head in [
        "HTTP/1.1",
        "HTTP/1.1\r\nHost: a\r\nHost: b",
        "HTTP/1.1\r\nHost: a\r\nHost: a",
        "HTTP/1.0\r\nHost: a\r\nHost: b",
        "HTTP/1.1\r\nHost:",
        "HTTP/1.1\r\nHost: a b",
        "HTTP/1.1\r\nHost: a/b",
        "HTTP/1.1\r\nHost: user@a",
        "HTTP/1.1\r\nHost: a:port",
    ] {
        ask(head).await.problem(400, "invalid_header");
    }
    for head in ["HTTP/1.1\r\nHost: a", "HTTP/1.1\r\nHost: [::1]:4001", "HTTP/1.0", "HTTP/1.0\r\nHost: a"] {
        ask(head).await.expect(200);
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let app = TestApp::start().await;
    let mut raw = app.raw().await;
    let requests: Vec<_> = [("/health", 200), ("/nope", 404), ("/api/auth/me", 401), ("/version", 200)].repeat(5);
    let text = requests
        .iter()
        .enumerate()
        .map(|(index, (path, _))| format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: {index:032x}\r\n\r\n", index = index + 1))
        .collect::<Vec<_>>()
        .concat();
    raw.send(text).await;
    for (index, (_, status)) in requests.iter().enumerate() {
        let answer = raw.answer().await.expect(*status);
        assert_eq!(answer.header("x-request-id"), format!("{:032x}", index + 1));
    }
}

#[tokio::test]
async fn expect_continue_gets_100() {
    let app = TestApp::start().await;
    let body = json!({ "email": "ada@example.com", "password": "not the password" }).to_string();
    let mut raw = app.raw().await;
    let head = format!("POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    raw.send(format!("{head}Expect: 100-continue\r\n\r\n")).await;
    assert_eq!(raw.until(b"\r\n\r\n").await.unwrap(), b"HTTP/1.1 100 Continue\r\n\r\n");
    raw.send(body).await;
    raw.answer().await.problem(401, "invalid_credentials");
    let mut old = app.raw().await;
    old.send("GET /health HTTP/1.0\r\n\r\n").await;
    assert!(old.rest().await.starts_with(b"HTTP/1.0 200"));
}

#[tokio::test]
async fn a_connection_stays_open_after_an_unread_body() {
    let app = TestApp::start().await;
    let mut raw = app.raw().await;
    let body = "a".repeat(1 << 20);
    let request = format!("POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for _ in 0..3 {
        raw.send(&request).await;
        raw.answer().await.problem(404, "not_found");
    }
    // The server does not wait long for a body that is never sent.
    raw.send("POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n").await;
    raw.answer().await.problem(404, "not_found");
    assert_eq!(raw.rest().await, b"", "the server must send no second response");
}

#[tokio::test]
async fn a_uuid_as_request_id_is_kept_and_any_other_replaced() {
    let app = TestApp::start().await;
    let ask = async |id: &str| {
        app.get("/nope").header("x-request-id", id).answer().await.problem(404, "not_found").header("x-request-id").to_owned()
    };
    for uuid in ["019f0000-0000-7000-8000-00000000000a", "019F0000-0000-7000-8000-00000000000A", "019f000000007000800000000000000a"] {
        assert_eq!(ask(uuid).await, "019f000000007000800000000000000a");
    }
    let is_identifier = |id: &str| id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    for other in ["", " ", "r-1", "a\"b", "../x", "<script>", "a,b", "$(x)", &"0".repeat(32), &"a".repeat(33), &"g".repeat(32)] {
        let replaced = ask(other).await;
        assert!(is_identifier(&replaced) && replaced != other, "{replaced}");
    }
    let bytes = reqwest::header::HeaderValue::from_bytes(b"\xff").unwrap();
    let answer = app.get("/health").header("x-request-id", bytes).answer().await;
    assert!(is_identifier(answer.header("x-request-id")));
}

#[tokio::test]
async fn cross_site_writes_are_refused() {
    let app = TestApp::with(&["--public-url=https://vitrine.example"]).await;
    app.register("ada@example.com").await.expect(201);
    let login = app.login("ada@example.com", PASSWORD).await.expect(200);
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    let rows = app.stores.contents().await;
    let write = async |headers: &[(&str, &str)]| {
        let request = app.post("/api/projects").header("cookie", &cookie).json(&json!({ "name": "One" }));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).answer().await
    };
    let foreign: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://vitrine.example")],
        &[("origin", "https://vitrine.example.evil.example")],
    ];
    for headers in foreign {
        let answer = write(headers).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        answer.problem(403, "cross_site_request");
    }
    let before = app.settled().await;
    app.post("/api/auth/logout")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site")
        .answer()
        .await
        .problem(403, "cross_site_request");
    let after = app.settled().await;
    assert_eq!(
        after.since(&before, "api_errors_total", &[("type", "authorization"), ("route", "/api/auth/logout"), ("status", "403")]),
        1.0
    );
    assert_eq!(app.stores.contents().await, rows);

    let own: [&[(&str, &str)]; 4] =
        [&[("sec-fetch-site", "same-origin")], &[("sec-fetch-site", "none")], &[("origin", "https://vitrine.example")], &[]];
    for headers in own {
        write(headers).await.expect(201);
    }
    // Reads are allowed, because they change nothing.
    let read = app.get("/api/auth/me").header("cookie", &cookie).header("sec-fetch-site", "cross-site").answer().await;
    read.expect(200);
}

#[tokio::test]
async fn every_response_has_the_protective_headers() {
    let app = TestApp::with_routes(misbehaving(), &["--request-timeout=300ms"]).await;
    let requests = [
        (app.get("/health"), 200),
        (app.get("/metrics"), 200),
        (app.get("/version"), 200),
        (app.get("/api/openapi.json"), 200),
        (app.get("/api/docs/"), 200),
        (app.get("/nope"), 404),
        (app.request(Method::PUT, "/api/projects"), 405),
        (app.get("/api/auth/me"), 401),
        (app.post("/api/auth/login").body("x"), 415),
        (app.post("/api/auth/login").header("content-type", "application/json").body("x".repeat(2 << 20)), 413),
        (app.post("/api/auth/login").header("sec-fetch-site", "cross-site"), 403),
        (app.get("/test/panic"), 500),
        (app.get("/test/never"), 503),
    ];
    for (request, status) in requests {
        let answer = request.answer().await.expect(status);
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{status}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{status}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{status}");
        assert!(!answer.header("content-security-policy").contains("script-src 'unsafe-inline'"), "{status}");
        assert!(!answer.header("cache-control").is_empty(), "{status}");
        assert!(!answer.header("x-request-id").is_empty() && !answer.header("x-served-by").is_empty(), "{status}");
        assert_eq!(answer.header("server"), "", "{status}");
    }
    let ada = app.user("ada").await;
    assert_eq!(app.me(&ada.token).await.expect(200).header("cache-control"), "no-store");
}

#[tokio::test]
async fn no_other_origin_may_read_answers() {
    let app = TestApp::start().await;
    for method in [Method::GET, Method::OPTIONS] {
        let request =
            app.request(method, "/api/projects").header("origin", "https://evil.example").header("access-control-request-method", "POST");
        let answer = request.answer().await;
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}
