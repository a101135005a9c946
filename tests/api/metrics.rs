//! Metrics: every request counts exactly once, however it ends, with labels that no client can choose.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use vitrine::metrics::catalogue;

use crate::support::routes::{PIECE, misbehaving};
use crate::support::{Ask, FAULTS, Platforms, Scrape, TestApp, eventually, when};

/// The growth of request counts, without the scrapes themselves.
fn requests(before: &Scrape, after: &Scrape) -> BTreeMap<String, f64> {
    let grown = after.grown(before, "http_requests_total");
    grown.into_iter().filter(|(series, _)| !series.contains("route=/metrics,")).collect()
}

fn one(method: &str, route: &str, status: u16) -> BTreeMap<String, f64> {
    [(format!("method={method},route={route},status={status}"), 1.0)].into()
}

fn one_error(class: &str, route: &str, status: u16) -> BTreeMap<String, f64> {
    [(format!("route={route},status={status},type={class}"), 1.0)].into()
}

async fn until_in_flight(app: &TestApp, count: f64) {
    eventually("the request is in flight", async || when(app.scrape().await.get("http_requests_in_flight", &[]) >= count + 1.0)).await;
}

#[tokio::test]
async fn a_panic_counts_as_one_500_and_the_process_continues() {
    let app = TestApp::with_routes(misbehaving(), &[]).await;
    let before = app.settled().await;
    app.get("/test/panic").answer().await.problem(500, "internal");
    let after = app.settled().await;
    assert_eq!(requests(&before, &after), one("GET", "/test/panic", 500));
    assert_eq!(after.grown(&before, "api_errors_total"), one_error("internal", "/test/panic", 500));
    assert_eq!(after.since(&before, "uncaught_exceptions_total", &[]), 1.0);
    assert_eq!(after.since(&before, "system_errors_total", &[("error_type", "panic"), ("severity", "critical")]), 1.0);
    assert_eq!(after.since(&before, "http_requests_cancelled_total", &[]), 0.0);
    assert_eq!(after.since(&before, "http_request_duration_seconds_count", &[("route", "/test/panic")]), 1.0);
}

#[tokio::test]
async fn a_panic_in_the_middle_of_a_response_is_counted_once_and_affects_no_other_request() {
    let app = TestApp::with_routes(misbehaving(), &[]).await;
    let before = app.settled().await;
    let mut raw = app.raw().await;
    raw.send(b"GET /test/panic-late HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let sent = raw.rest().await;
    assert!(!sent.ends_with(b"0\r\n\r\n"), "an incomplete response must not look complete");
    let after = app.settled().await;
    assert_eq!(requests(&before, &after), one("GET", "/test/panic-late", 500));
    assert_eq!(after.since(&before, "uncaught_exceptions_total", &[]), 1.0);
    app.get("/health").answer().await.expect(200);
}

#[tokio::test]
async fn an_incomplete_response_counts_as_our_failure_and_not_as_a_cancelled_request() {
    let app = TestApp::with_routes(misbehaving(), &[]).await;
    for route in ["/test/break-off", "/test/panic-late"] {
        let before = app.settled().await;
        let mut raw = app.raw().await;
        raw.send(format!("GET {route} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        // The amount of data that arrives varies, but the connection must end.
        raw.rest().await;
        let after = app.settled().await;
        assert_eq!(requests(&before, &after), one("GET", route, 500));
        assert_eq!(after.grown(&before, "api_errors_total"), one_error("internal", route, 500));
        assert_eq!(after.since(&before, "http_requests_cancelled_total", &[]), 0.0, "{route}");
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_counts_as_a_503() {
    let app = TestApp::with_routes(misbehaving(), &["--request-timeout=200ms"]).await;
    let before = app.settled().await;
    let answer = app.get("/test/never").answer().await.problem(503, "timeout");
    assert_eq!(answer.header("retry-after"), "1");
    let after = app.settled().await;
    assert_eq!(requests(&before, &after), one("GET", "/test/never", 503));
    assert_eq!(after.grown(&before, "api_errors_total"), one_error("timeout", "/test/never", 503));
}

#[tokio::test]
async fn refusals_are_counted_once_on_their_route_and_unknown_paths_as_other() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let before = app.settled().await;
    app.post("/api/projects").bearer_auth(&ada.token).body(vec![b' '; 2 << 20]).answer().await.problem(413, "payload_too_large");
    let after = app.settled().await;
    assert_eq!(requests(&before, &after), one("POST", "/api/projects", 413));
    assert_eq!(after.grown(&before, "api_errors_total"), one_error("too_large", "/api/projects", 413));

    app.get("/no/such/thing?q=1").answer().await.problem(404, "not_found");
    let last = app.settled().await;
    assert_eq!(requests(&after, &last), one("GET", "other", 404));
    assert_eq!(last.grown(&after, "api_errors_total"), one_error("not_found", "other", 404));
}

#[tokio::test]
async fn a_client_that_leaves_before_the_response_head_counts_as_a_499() {
    let app = TestApp::with_routes(misbehaving(), &[]).await;
    let before = app.settled().await;
    let mut raw = app.raw().await;
    raw.send(b"GET /test/never HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until_in_flight(&app, 1.0).await;
    drop(raw);
    let after = app.settled().await;
    assert_eq!(requests(&before, &after), one("GET", "/test/never", 499));
    assert_eq!(after.grown(&before, "http_requests_cancelled_total"), [("route=/test/never".to_owned(), 1.0)].into());
    assert_eq!(after.grown(&before, "api_errors_total"), one_error("cancelled", "/test/never", 499));
    assert_eq!(after.get("http_requests_in_flight", &[]), 1.0, "only the scrape may be in flight");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_an_answer_counts_as_a_499() {
    let app = TestApp::with_routes(misbehaving(), &[]).await;
    let before = app.settled().await;
    let mut raw = app.raw().await;
    raw.send(b"GET /test/endless HTTP/1.1\r\nHost: x\r\n\r\n").await;
    raw.until(PIECE).await.unwrap();
    until_in_flight(&app, 1.0).await;
    drop(raw);
    let after = app.settled().await;
    assert_eq!(requests(&before, &after), one("GET", "/test/endless", 499));
    assert_eq!(after.since(&before, "http_requests_cancelled_total", &[]), 1.0);
    let sent = after.since(&before, "http_response_size_bytes_sum", &[("route", "/test/endless")]);
    assert!(sent >= PIECE.len() as f64, "{sent}");
}

#[tokio::test]
async fn an_answer_to_head_has_no_body_and_counts_as_complete() {
    let app = TestApp::start().await;
    let before = app.settled().await;
    let mut raw = app.raw().await;
    for path in ["/health", "/version", "/no/such/thing"] {
        raw.send(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let answer = raw.answer_to("HEAD").await.unwrap();
        assert!(answer.header("content-length").parse::<usize>().unwrap() > 0, "HEAD must announce the length of the omitted body");
    }
    let after = app.settled().await;
    // The OpenAPI description declares no HEAD, so a HEAD request to a described path counts as OTHER.
    let expected = [one("OTHER", "/health", 200), one("OTHER", "/version", 200), one("HEAD", "other", 404)];
    assert_eq!(requests(&before, &after), expected.into_iter().flatten().collect());
    assert_eq!(after.since(&before, "http_requests_cancelled_total", &[]), 0.0);
}

#[tokio::test]
async fn size_metrics_equal_the_bytes_that_a_client_sends_and_receives() {
    let app = TestApp::with_routes(misbehaving(), &[]).await;
    let before = app.settled().await;
    let mut raw = app.raw().await;
    let (mut sent, mut received) = (0, 0);
    for length in [0, 1, 99, 5_000, 300_000] {
        raw.send(format!("POST /test/echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")).await;
        raw.send(vec![b'x'; length]).await;
        sent += length;
        received += raw.answer().await.expect(200).body.len();
    }
    for chunks in [1, 3, 50] {
        raw.send(b"POST /test/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for _ in 0..chunks {
            raw.send(b"a\r\n0123456789\r\n").await;
        }
        raw.send(b"0\r\n\r\n").await;
        sent += chunks * 10;
        received += raw.answer().await.expect(200).body.len();
    }
    let mut streamed = 0;
    for count in [0, 1, 1_000] {
        raw.send(format!("GET /test/pieces/{count} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        streamed += raw.answer().await.expect(200).body.len();
    }
    let after = app.settled().await;
    let echo = [("method", "POST"), ("route", "/test/echo")];
    assert_eq!(received, sent);
    assert_eq!(after.since(&before, "http_request_size_bytes_sum", &echo), sent as f64);
    assert_eq!(after.since(&before, "http_response_size_bytes_sum", &echo), received as f64);
    assert_eq!(after.since(&before, "http_request_size_bytes_count", &echo), 8.0);
    let pieces = [("method", "GET"), ("route", "/test/pieces/{count}")];
    assert_eq!((streamed, after.since(&before, "http_response_size_bytes_sum", &pieces)), (1001 * PIECE.len(), streamed as f64));
    assert_eq!(requests(&before, &after).values().sum::<f64>(), 11.0);
}

#[tokio::test]
async fn a_body_that_is_announced_and_never_sent_is_not_counted_as_sent() {
    let app = TestApp::with_routes(misbehaving(), &[]).await;
    let before = app.settled().await;
    let mut raw = app.raw().await;
    raw.send(b"POST /test/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000000000\r\n\r\nabc").await;
    until_in_flight(&app, 1.0).await;
    drop(raw);
    let after = app.settled().await;
    let counted = after.since(&before, "http_request_size_bytes_sum", &[("route", "/test/echo")]);
    assert!(counted <= 3.0, "bytes that were announced but not sent must not be counted: {counted}");
}

#[tokio::test]
async fn hostile_methods_paths_and_headers_make_no_series() {
    let app = TestApp::start().await;
    app.settled().await;
    let before = app.settled().await.series();
    let attack = async |round: usize| {
        let methods = ["GET", "POST", "BREW", "get", "PROPFIND", "X", "OPTIONS", "TRACE", "HEAD", "PUT"];
        join_all((0..100).map(|index| {
            let method = Method::from_bytes(methods[index % methods.len()].as_bytes()).unwrap();
            let path = match index % 4 {
                0 => format!("/random/{round}/{index}"),
                1 => format!("/api/projects/{round}-{index}"),
                2 => format!("/health?{round}={index}"),
                _ => format!("/api/auth/sessions/{round}{index}"),
            };
            let request = app
                .request(method, &path)
                .header("x-request-id", format!("r{round}-{index}"))
                .header("user-agent", format!("{round}{index}"))
                .header("sec-fetch-site", if index % 3 == 0 { "cross-site" } else { "none" });
            async move { request.answer().await }
        }))
        .await;
    };
    attack(1).await;
    let after = app.settled().await.series();
    let made: Vec<_> = after.difference(&before).collect();
    assert!(made.is_empty(), "{made:?}");
}

#[tokio::test]
async fn every_closed_label_set_is_exposed_before_the_first_event() {
    let platforms = Platforms::start().await;
    let [file, keys] = platforms.arguments();
    let app = TestApp::with(&[&file, &keys, FAULTS]).await;
    let scrape = app.scrape().await;
    let mut checked = 0;
    for row in catalogue::rows() {
        let name = match row.kind {
            "histogram" | "summary" => format!("{}_count", row.name),
            _ => row.name.to_owned(),
        };
        assert!(scrape.text.contains(&format!("# TYPE {} {}\n", row.name, row.kind)), "{}", row.name);
        assert!(scrape.text.contains(&format!("# HELP {} {}\n", row.name, row.help)), "{}", row.name);
        for values in &row.series {
            let labels: Vec<_> = row.keys.iter().copied().zip(values.iter().copied()).collect();
            assert!(scrape.has(&name, &labels), "{name} {labels:?}");
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
    let described = serde_json::to_value(vitrine::router::description()).unwrap();
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase();
            for status in operation["responses"].as_object().unwrap().keys() {
                assert!(
                    scrape.has("http_requests_total", &[("method", &method), ("route", path), ("status", status)]),
                    "{method} {path} {status}"
                );
            }
            let labels = [("method", method.as_str()), ("route", path.as_str())];
            assert!(scrape.has("http_request_duration_seconds_count", &labels), "{method} {path}");
            let has_body = operation.get("requestBody").is_some();
            assert_eq!(scrape.has("http_request_size_bytes_count", &labels), has_body, "{method} {path}");
        }
    }
    for name in ["users_registered_total", "projects_created_total", "auth_attempts_total", "uncaught_exceptions_total", "db_queries_total"]
    {
        let counted = if name == "db_queries_total" { scrape.get(name, &[("status", "error")]) } else { scrape.get(name, &[]) };
        assert_eq!(counted, 0.0, "{name}");
    }
    assert_eq!(scrape.get("build_info", &[]), 1.0);
}

#[tokio::test]
async fn promtool_accepts_the_exported_metrics() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.project(&ada, "One", "private").await;
    let text = app.scrape().await.text;
    let Ok(mut check) =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    else {
        eprintln!("SKIPPED: promtool is not installed (Debian package `prometheus`)");
        return;
    };
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn connections_are_counted_while_they_are_open() {
    let app = TestApp::start().await;
    let open = async || app.scrape().await.get("active_connections", &[]);
    let before = open().await;
    let raws = join_all((0..7).map(|_| app.raw())).await;
    eventually("seven more connections are open", async || when(open().await == before + 7.0)).await;
    drop(raws);
    eventually("the connections are closed", async || when(open().await == before)).await;
}

#[tokio::test]
async fn cache_redis_and_database_metrics_count_each_operation() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let project = app.project(&ada, "One", "private").await;
    let path = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let read = async || app.as_user(&ada, Method::GET, &path).answer().await.expect(200);
    read().await;
    let before = app.settled().await;
    for _ in 0..4 {
        read().await;
    }
    let after = app.settled().await;
    for kind in ["session", "user", "project"] {
        assert_eq!(after.since(&before, "cache_hits_total", &[("cache_type", kind)]), 4.0, "{kind}");
        assert_eq!(after.since(&before, "cache_misses_total", &[("cache_type", kind)]), 0.0, "{kind}");
    }
    // Each request reads the session, the user and the project with a single command.
    assert_eq!(after.since(&before, "redis_commands_total", &[("command", "mget"), ("status", "success")]), 4.0);
    assert_eq!(after.since(&before, "redis_command_duration_seconds_count", &[("command", "mget")]), 4.0);
    assert_eq!(after.since(&before, "redis_commands_total", &[("command", "get")]), 0.0);
    assert_eq!(after.get("redis_connections_active", &[("role", "commands")]), 1.0);
    assert_eq!(after.since(&before, "db_queries_total", &[("table", "projects")]), 0.0);
    app.project(&ada, "Other", "private").await;
    let created = app.settled().await;
    assert_eq!(created.since(&after, "db_queries_total", &[("operation", "insert"), ("table", "projects")]), 1.0);
    for table in ["transaction", "project_members"] {
        assert_eq!(created.since(&after, "db_queries_total", &[("table", table)]), 0.0, "{table}");
    }
    app.patch(&path).bearer_auth(&ada.token).header("if-match", "*").json(&json!({ "name": "Two" })).answer().await.expect(200);
    let last = app.settled().await;
    for (operation, table) in
        [("begin", "transaction"), ("select", "projects"), ("select", "project_members"), ("update", "projects"), ("commit", "transaction")]
    {
        let labels = [("operation", operation), ("table", table), ("status", "success")];
        assert_eq!(last.since(&created, "db_queries_total", &labels), 1.0, "{labels:?}");
    }
}
