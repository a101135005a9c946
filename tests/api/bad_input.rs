//! Requests with malformed, oversized or forbidden bodies or headers. The service refuses each with a clear problem, never with a 500,
//! changes nothing, and counts the request once. Two cases differ: the service ignores malformed headers that the route does not need, and
//! closes the connection of an endless body. `bad_routes` covers paths and methods.

use reqwest::RequestBuilder;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::json;

use crate::support::{Answer, Ask, Raw, TestApp, User};

const JSON: &str = "application/json";
pub const OWN_ID: &str = "019f0000-0000-7000-8000-000000000000";

/// The fixture for tables of bad requests: a user with a project.
pub struct Fixture {
    pub app: TestApp,
    pub ada: User,
    pub project: String,
}

impl Fixture {
    pub async fn new() -> Self {
        let app = TestApp::start().await;
        let ada = app.user("ada").await;
        let project = app.project(&ada, "One", "private").await["id"].as_str().unwrap().to_owned();
        Self { app, ada, project }
    }

    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.app.post(path).bearer_auth(&self.ada.token).header("content-type", JSON).body(body)
    }

    /// Sends a request. Asserts that it gets a problem with this status and code, changes no row, and is counted once, on this route.
    pub async fn refuses(&self, what: &str, request: RequestBuilder, route: &str, status: u16, code: &str) -> Answer {
        self.refuses_answer(what, async || request.answer().await, route, status, code).await
    }

    async fn refuses_answer(&self, what: &str, send: impl AsyncFnOnce() -> Answer, route: &str, status: u16, code: &str) -> Answer {
        let (rows, before) = (self.app.stores.contents().await, self.app.settled().await);
        let answer = send().await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{what}: {}", answer.text());
        let answer = answer.problem(status, code);
        let after = self.app.settled().await;
        assert_eq!(self.app.stores.contents().await, rows, "{what} changed something");
        let (route_label, status_label) = (("route", route), status.to_string());
        let answered = after.since(&before, "http_requests_total", &[route_label, ("status", &status_label)]);
        let counted = after.since(&before, "api_errors_total", &[route_label, ("status", &status_label)]);
        assert_eq!((answered, counted), (1.0, 1.0), "{what}: {:?}", after.grown(&before, "http_requests_total"));
        let others =
            after.since(&before, "http_requests_total", &[]) - after.since(&before, "http_requests_total", &[("route", "/metrics")]);
        assert_eq!(others, 1.0, "{what}: {:?}", after.grown(&before, "http_requests_total"));
        assert_eq!(after.since(&before, "api_errors_total", &[]), 1.0, "{what}: {:?}", after.grown(&before, "api_errors_total"));
        answer
    }
}

#[tokio::test]
async fn bodies_that_are_not_json_are_malformed() {
    let fixture = Fixture::new().await;
    let deep = "[".repeat(100_000);
    let bodies: [(&str, Vec<u8>); 13] = [
        ("an empty body", b"".to_vec()),
        ("an open brace", b"{".to_vec()),
        ("text", b"name=One".to_vec()),
        ("text after the object", br#"{"name":"x"} x"#.to_vec()),
        ("two values", br#"{"name":"x"}{"name":"y"}"#.to_vec()),
        ("single quotes", b"{'name':'x'}".to_vec()),
        ("a comma at the end", br#"{"name":"x",}"#.to_vec()),
        ("a comment", br#"/* */{"name":"x"}"#.to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{\"name\":\"x\"}".to_vec()),
        ("an unescaped control character", b"{\"name\":\"a\x01b\"}".to_vec()),
        ("invalid UTF-8", b"{\"name\":\"a\xff\xfeb\"}".to_vec()),
        ("NaN", br#"{"name":NaN}"#.to_vec()),
        ("UTF-16", "{\"name\":\"x\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ];
    for (what, body) in bodies {
        fixture.refuses(what, fixture.post("/api/projects", body), "/api/projects", 400, "malformed_json").await;
    }
    for (what, body) in [("deep nesting", deep.clone()), ("deep nesting in a field", format!("{{\"name\":{deep}"))] {
        let answer = fixture.post("/api/projects", body).answer().await;
        assert!(matches!(answer.status, 400 | 422), "{what}: {} {}", answer.status, answer.text());
    }
}

#[tokio::test]
async fn the_problem_for_an_invalid_body_names_the_field() {
    let fixture = Fixture::new().await;
    let (create, register, login) = ("/api/projects", "/api/auth/register", "/api/auth/login");
    let long = |length: usize| "x".repeat(length);
    let cases = [
        (create, json!({}), "name", "required"),
        (create, json!({ "name": null }), "name", "invalid"),
        (create, json!({ "name": 5 }), "name", "invalid"),
        (create, json!({ "name": ["x"] }), "name", "invalid"),
        (create, json!({ "name": { "x": 1 } }), "name", "invalid"),
        (create, json!({ "name": true }), "name", "invalid"),
        (create, json!({ "name": "" }), "name", "too_short"),
        (create, json!({ "name": " \t\u{a0} " }), "name", "too_short"),
        (create, json!({ "name": long(81) }), "name", "too_long"),
        (create, json!({ "name": "é".repeat(81) }), "name", "too_long"),
        (create, json!({ "name": "a\u{0}b" }), "name", "control_character"),
        (create, json!({ "name": "a\nb" }), "name", "control_character"),
        (create, json!({ "name": "a\u{7f}b" }), "name", "control_character"),
        (create, json!({ "name": "a\u{85}b" }), "name", "control_character"),
        (create, json!({ "name": "x", "description": null }), "description", "invalid"),
        (create, json!({ "name": "x", "description": long(2001) }), "description", "too_long"),
        (create, json!({ "name": "x", "description": "a\u{0}b" }), "description", "control_character"),
        (create, json!({ "name": "x", "visibility": null }), "visibility", "invalid"),
        (create, json!({ "name": "x", "visibility": "secret" }), "visibility", "invalid"),
        (create, json!({ "name": "x", "visibility": "Public" }), "visibility", "invalid"),
        (create, json!({ "name": "x", "visibility": 1 }), "visibility", "invalid"),
        (create, json!({ "name": "x", "owner_id": OWN_ID }), "owner_id", "unknown"),
        (create, json!({ "name": "x", "Name": "y" }), "Name", "unknown"),
        (create, json!({ "name": "x", "__proto__": {} }), "__proto__", "unknown"),
        (register, json!({ "password": "correct horse battery", "display_name": "A" }), "email", "required"),
        (
            register,
            json!({ "email": "a@b.cc", "password": "correct horse battery", "display_name": "A", "role": "admin" }),
            "role",
            "unknown",
        ),
        (register, json!({ "email": "a@b.cc", "password": 12_345_678, "display_name": "A" }), "password", "invalid"),
        (register, json!({ "email": "a@b.cc", "password": "short", "display_name": "A" }), "password", "too_short"),
        (register, json!({ "email": "a@b.cc", "password": long(129), "display_name": "A" }), "password", "too_long"),
        (register, json!({ "email": "a@b.cc", "password": "PassWord1", "display_name": "A" }), "password", "too_common"),
        (register, json!({ "email": "nobody", "password": "correct horse battery", "display_name": "A" }), "email", "invalid"),
        (register, json!({ "email": "a@localhost", "password": "correct horse battery", "display_name": "A" }), "email", "invalid"),
        (
            register,
            json!({ "email": "a@b.cc\u{0}", "password": "correct horse battery", "display_name": "A" }),
            "email",
            "control_character",
        ),
        (
            register,
            json!({ "email": "a\r\nBcc: x@b.cc", "password": "correct horse battery", "display_name": "A" }),
            "email",
            "control_character",
        ),
        (
            register,
            json!({ "email": format!("{}@b.cc", long(250)), "password": "correct horse battery", "display_name": "A" }),
            "email",
            "too_long",
        ),
        (
            register,
            json!({ "email": "a@b.cc", "password": "correct horse battery", "display_name": "\u{0}" }),
            "display_name",
            "control_character",
        ),
        (register, json!({ "email": "a@b.cc", "password": "correct horse battery", "display_name": long(81) }), "display_name", "too_long"),
        (login, json!({ "email": "", "password": "x" }), "email", "too_short"),
        (login, json!({ "email": "a\u{0}@b.cc", "password": "x" }), "email", "control_character"),
        (login, json!({ "email": long(255), "password": "x" }), "email", "too_long"),
        (login, json!({ "email": "a@b.cc", "password": long(129) }), "password", "too_long"),
        (login, json!({ "email": "a@b.cc", "password": null }), "password", "invalid"),
        (login, json!({ "email": "a@b.cc", "password": "x", "device": long(121) }), "device", "too_long"),
        (login, json!({ "email": "a@b.cc", "password": "x", "device": "\u{0}" }), "device", "control_character"),
    ];
    for (path, body, field, code) in cases {
        let what = format!("{path} {}", body.to_string().chars().take(120).collect::<String>());
        let answer = fixture.refuses(&what, fixture.post(path, body.to_string()), path, 422, "validation_failed").await;
        assert_eq!(answer.field_code(field).as_deref(), Some(code), "{what}: {}", answer.text());
    }
    for (body, field, code) in [
        (r#"{"name":"x","name":"y"}"#, "name", "duplicate"),
        (r#"{"name":123456789012345678901234567890}"#, "name", "invalid"),
        (r#"{"name":-0.0}"#, "name", "invalid"),
        (r#"{"name":1e999}"#, "name", "invalid"),
        // The grammar of JSON allows the escape of a lone surrogate, but no Rust string can contain one.
        (r#"{"name":"\ud800"}"#, "name", "invalid"),
    ] {
        let answer = fixture.refuses(body, fixture.post(create, body), create, 422, "validation_failed").await;
        assert_eq!(answer.field_code(field).as_deref(), Some(code), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_body_that_is_not_an_object_is_refused() {
    let fixture = Fixture::new().await;
    for body in [r#"["a name"]"#, "[]", "\"x\"", "5", "null", r#"[{"name":"x"}]"#] {
        fixture.refuses(body, fixture.post("/api/projects", body), "/api/projects", 422, "validation_failed").await;
    }
    let body = json!(["eve@example.com", "correct horse battery", "Eve"]).to_string();
    fixture
        .refuses("a registration as a list", fixture.post("/api/auth/register", body), "/api/auth/register", 422, "validation_failed")
        .await;
}

#[tokio::test]
async fn invalid_changes_publications_and_memberships_are_refused() {
    let fixture = Fixture::new().await;
    let (route, path) = ("/api/projects/{id}", format!("/api/projects/{}", fixture.project));
    for (body, field) in [
        (json!({ "name": null }), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "slug": "x" }), "slug"),
        (json!({ "version": 9 }), "version"),
    ] {
        let request = fixture.app.patch(&path).bearer_auth(&fixture.ada.token).header("if-match", "*").json(&body);
        let answer = fixture.refuses(&body.to_string(), request, route, 422, "validation_failed").await;
        assert!(answer.field_code(field).is_some(), "{}", answer.text());
    }
    let (route, path) = ("/api/projects/{id}/publish", format!("/api/projects/{}/publish", fixture.project));
    for (body, field, code) in [
        (json!({ "slug": null }), "slug", "invalid"),
        (json!({ "slug": 123 }), "slug", "invalid"),
        (json!({ "slug": ["abc"] }), "slug", "invalid"),
        (json!({ "slug": "abc", "visibility": "public" }), "visibility", "unknown"),
        (json!({ "Slug": "abc" }), "Slug", "unknown"),
        (json!({ "slug": "a\u{0}b" }), "slug", "invalid"),
        (json!([]), ".", "invalid"),
        (json!("abc"), ".", "invalid"),
    ] {
        let what = format!("{path} {body}");
        let answer = fixture.refuses(&what, fixture.post(&path, body.to_string()), route, 422, "validation_failed").await;
        assert_eq!(answer.field_code(field).as_deref(), Some(code), "{what}: {}", answer.text());
    }
    fixture.refuses("no body", fixture.post(&path, ""), route, 400, "malformed_json").await;
    let (route, path) = ("/api/projects/{id}/members", format!("/api/projects/{}/members", fixture.project));
    let long = format!("{}@example.com", "x".repeat(5000));
    for (body, field) in [
        (json!({ "email": "a@b.cc" }), "role"),
        (json!({ "email": "a@b.cc", "role": "king" }), "role"),
        (json!({ "email": "a@b.cc", "role": ["viewer"] }), "role"),
        (json!({ "email": null, "role": "viewer" }), "email"),
        (json!({ "email": "a\u{0}b@example.com", "role": "viewer" }), "email"),
        (json!({ "email": long, "role": "viewer" }), "email"),
    ] {
        let what = body.to_string().chars().take(100).collect::<String>();
        let answer = fixture.refuses(&what, fixture.post(&path, body.to_string()), route, 422, "validation_failed").await;
        assert!(answer.field_code(field).is_some(), "{what}: {}", answer.text());
    }
}

#[tokio::test]
async fn only_json_is_read() {
    let fixture = Fixture::new().await;
    let body = r#"{"name":"x"}"#;
    for media in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "json", "", "text/json"]
    {
        let request = fixture.app.post("/api/projects").bearer_auth(&fixture.ada.token).header("content-type", media).body(body);
        fixture.refuses(media, request, "/api/projects", 415, "unsupported_media_type").await;
    }
    let request = fixture.app.post("/api/projects").bearer_auth(&fixture.ada.token).body(body);
    fixture.refuses("no content type", request, "/api/projects", 415, "unsupported_media_type").await;
    for media in ["application/json; charset=utf-8", "Application/JSON"] {
        fixture
            .app
            .post("/api/projects")
            .bearer_auth(&fixture.ada.token)
            .header("content-type", media)
            .body(body)
            .answer()
            .await
            .expect(201);
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused_and_the_connection_stays_open() {
    let fixture = Fixture::new().await;
    let large = vec![b' '; 3 << 20];
    fixture
        .refuses("3 MiB with its length declared", fixture.post("/api/projects", large.clone()), "/api/projects", 413, "payload_too_large")
        .await;
    let mut raw = fixture.app.raw().await;
    let chunked = async || {
        send_chunked(&mut raw, &fixture.ada.token, &large).await;
        raw.answer().await
    };
    fixture.refuses_answer("3 MiB in chunks", chunked, "/api/projects", 413, "payload_too_large").await;
    // The same connection stays usable: the rest of the body is not taken for a request.
    raw.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    raw.answer().await.expect(200);

    let exactly = |length: usize| {
        let mut body = br#"{"name":"x"}"#.to_vec();
        body.resize(length, b' ');
        fixture.post("/api/projects", body)
    };
    exactly(1 << 20).answer().await.expect(201);
    fixture.refuses("one byte too many", exactly((1 << 20) + 1), "/api/projects", 413, "payload_too_large").await;
}

async fn send_chunked(raw: &mut Raw, token: &str, body: &[u8]) {
    let head = format!(
        "POST /api/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    raw.send(head).await;
    for piece in body.chunks(60_000) {
        raw.send(format!("{:x}\r\n", piece.len())).await;
        raw.send(piece).await;
        raw.send("\r\n").await;
    }
    raw.send("0\r\n\r\n").await;
}

#[tokio::test]
async fn an_endless_body_is_aborted() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut raw = app.raw().await;
    let head = format!(
        "POST /api/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n",
        ada.token
    );
    raw.send(head).await;
    let (piece, mut sent) = (format!("10000\r\n{}\r\n", " ".repeat(0x10000)), 0_usize);
    while raw.try_send(&piece).await.is_ok() {
        sent += piece.len();
        assert!(sent < 64 << 20, "the server keeps reading");
    }
    let answered = app.settled().await.get("http_requests_total", &[("route", "/api/projects"), ("method", "POST")]);
    assert_eq!(answered, 1.0);
}

#[tokio::test]
async fn a_body_with_a_broken_chunk_is_incomplete() {
    let fixture = Fixture::new().await;
    let mut raw = fixture.app.raw().await;
    let send = async || {
        let head =
            format!("POST /api/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {JSON}\r\n", fixture.ada.token);
        raw.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"nam\r\nnonsense\r\n")).await;
        raw.answer().await
    };
    fixture.refuses_answer("a broken chunk", send, "/api/projects", 400, "incomplete_body").await;
}

#[tokio::test]
async fn malformed_headers_are_refused_or_ignored_and_cause_no_failure() {
    let fixture = Fixture::new().await;
    let path = format!("/api/projects/{}", fixture.project);
    for header in ["if-match", "if-none-match", "idempotency-key"] {
        let value = HeaderValue::from_bytes(b"\xff\xfe").unwrap();
        let name = HeaderName::from_static(header);
        let (request, route) = match header {
            "if-match" => (fixture.app.patch(&path).json(&json!({ "name": "x" })), "/api/projects/{id}"),
            "if-none-match" => (fixture.app.get(&path), "/api/projects/{id}"),
            _ => (fixture.app.post("/api/projects").json(&json!({ "name": "x" })), "/api/projects"),
        };
        fixture.refuses(header, request.bearer_auth(&fixture.ada.token).header(name, value), route, 400, "invalid_header").await;
    }
    for (name, value) in [
        ("x-forwarded-for", &b"\xff, ,,"[..]),
        ("cookie", b"\xff=;;=;"),
        ("accept", b"\xff"),
        ("range", b"bytes=9-1"),
        ("accept-encoding", b"x;q=9"),
        ("te", b"x"),
    ] {
        let request = fixture.app.get("/api/auth/me").bearer_auth(&fixture.ada.token).header(name, HeaderValue::from_bytes(value).unwrap());
        request.answer().await.expect(200);
    }
}
