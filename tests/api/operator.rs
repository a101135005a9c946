//! The operator's page: who sees it, and the states of the tools that it shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::support::{Ask, TestApp, User, eventually, when};

const PAGE: &str = "/operator";
const LINK: &str = "href=\"/operator\"";
/// The Accept header of a browser's navigation.
const NAVIGATION: &str = "text/html,*/*;q=0.8";

/// A tool that counts the requests to it. The tool stops when this value is dropped.
struct FakeTool {
    url: String,
    asked: Arc<AtomicUsize>,
    _serving: AbortOnDropHandle<()>,
}

impl FakeTool {
    /// A tool that responds with this status.
    async fn with(status: StatusCode) -> Self {
        let (listener, url) = listener().await;
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let answer = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready((status, "the body of the tool"))
        };
        let router = Router::new().fallback(answer);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, _serving: AbortOnDropHandle::new(serving) }
    }

    /// A tool that sends a text and then repeats another one indefinitely.
    async fn endless(text: &'static str, repeated: &'static str) -> Self {
        let (listener, url) = listener().await;
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let serving = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut sent = client.write_all(text.as_bytes()).await;
                    while sent.is_ok() {
                        sent = client.write_all(repeated.as_bytes()).await;
                        tokio::task::yield_now().await;
                    }
                });
            }
        });
        Self { url, asked, _serving: AbortOnDropHandle::new(serving) }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Visits the page as a browser does, and returns the status and the HTML.
async fn visit(app: &TestApp, user: Option<&User>, path: &str) -> (u16, String) {
    let cookie = user.map(|user| format!("vitrine={}", user.token)).unwrap_or_default();
    let answer = app.get(path).header("accept", NAVIGATION).header("cookie", cookie).answer().await;
    (answer.status, answer.text())
}

/// The text of the state in a tool's row.
#[track_caller]
fn state<'a>(html: &'a str, tool: &str) -> &'a str {
    let row = html.split_once(&format!("data-tool=\"{tool}\"")).unwrap_or_else(|| panic!("no row of {tool}: {html}")).1;
    row.split_once("class=\"status ").and_then(|(_, rest)| rest.split_once('>')?.1.split_once('<')).unwrap().0
}

#[tokio::test]
async fn in_development_everybody_sees_the_state_of_every_tool() {
    let (works, fails) = (FakeTool::with(StatusCode::OK).await, FakeTool::with(StatusCode::SERVICE_UNAVAILABLE).await);
    let (silent, silent_url) = listener().await;
    let (closed, closed_url) = listener().await;
    drop(closed);
    let urls = [("prometheus", &works.url), ("grafana", &fails.url), ("alertmanager", &closed_url), ("mail", &silent_url)];
    let arguments: Vec<String> = urls.iter().map(|(name, url)| format!("--{name}-url={url}")).collect();
    let app = TestApp::with(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let before = Instant::now();
    let (status, html) = visit(&app, None, PAGE).await;
    assert_eq!(status, 200, "{html}");
    assert!(before.elapsed() < Duration::from_secs(10), "a tool that does not respond must not delay the page");
    drop(silent);
    assert_eq!(state(&html, "API documentation"), "reachable");
    assert_eq!(state(&html, "Prometheus"), "reachable");
    assert_eq!(state(&html, "Grafana"), "responds with 503");
    assert_eq!(state(&html, "Alertmanager"), "not reachable");
    assert_eq!(state(&html, "Mail sink"), "not reachable");
    assert!(html.contains(&format!("href=\"{}/d/vitrine-overview\"", fails.url)), "{html}");
    assert!(!html.contains("data-tool=\"Runbooks\""), "a tool without a URL is not listed: {html}");
    assert!(!html.contains("the body of the tool"), "{html}");
    assert!(visit(&app, None, "/").await.1.contains(LINK), "the footer must link to the page");
}

#[tokio::test]
async fn in_production_the_page_exists_for_admins_only() {
    let app = TestApp::with(&["--environment=production"]).await;
    let (user, admin) = (app.user("eve").await, app.admin().await);
    for visitor in [None, Some(&user)] {
        let (status, html) = visit(&app, visitor, PAGE).await;
        let (missing, same) = visit(&app, visitor, "/no-such-page").await;
        assert_eq!((status, missing), (404, 404));
        let is_reference = |text: &&str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let without_reference = |html: &str| html.split(['<', '>']).filter(|text| !is_reference(text)).collect::<String>();
        assert_eq!(without_reference(&html.replace(PAGE, "/no-such-page")), without_reference(&same), "the answers must not differ");
        assert!(!visit(&app, visitor, "/").await.1.contains(LINK), "nobody but admins gets the link");
    }
    app.get(PAGE).answer().await.problem(404, "not_found");
    let (status, html) = visit(&app, Some(&admin), PAGE).await;
    assert_eq!(status, 200, "{html}");
    assert!(visit(&app, Some(&admin), "/").await.1.contains(LINK), "admins get the link");
}

#[tokio::test]
async fn many_visitors_cause_one_request_to_each_tool_even_if_they_leave_early() {
    let (prometheus, runbooks) = (FakeTool::with(StatusCode::OK).await, FakeTool::with(StatusCode::OK).await);
    let (first, second) = (format!("--prometheus-url={}", prometheus.url), format!("--runbooks-url={}", runbooks.url));
    let app = TestApp::with(&[&first, &second]).await;
    let before = Instant::now();
    for _ in 0..10 {
        // A dropped connection is a visitor who leaves before the answer.
        app.raw().await.send(format!("GET {PAGE} HTTP/1.1\r\nHost: {}\r\n\r\n", app.address)).await;
    }
    let pages = join_all((0..20).map(|_| visit(&app, None, PAGE))).await;
    assert!(pages.iter().all(|(status, html)| *status == 200 && state(html, "Runbooks") == "reachable"));
    // A result is shown for five seconds; on a busy machine, the visits may take longer.
    let most = 1 + usize::try_from(before.elapsed().as_secs()).unwrap() / 5;
    for tool in [&prometheus, &runbooks] {
        assert!((1..=most).contains(&tool.asked()), "{} requests", tool.asked());
    }
}

#[tokio::test]
async fn the_state_is_asked_at_the_address_for_replicas_and_the_link_is_the_one_for_browsers() {
    let tool = FakeTool::with(StatusCode::OK).await;
    let address = format!("--tool-addresses=prometheus={}", tool.url);
    let app = TestApp::with(&["--prometheus-url=https://ops.example/prometheus", &address]).await;
    let (_, html) = visit(&app, None, PAGE).await;
    assert_eq!(state(&html, "Prometheus"), "reachable");
    assert!(html.contains("href=\"https://ops.example/prometheus\""), "{html}");
    assert!(!html.contains(&tool.url) && !html.contains("localhost"), "{html}");
}

#[tokio::test]
async fn a_tool_that_sends_without_end_costs_a_page_neither_time_nor_memory() {
    let body = FakeTool::endless("HTTP/1.1 200 OK\r\n\r\n", "xxxxxxxxxxxxxxxx").await;
    let head = FakeTool::endless("HTTP/1.1 200 OK\r\n", "x: xxxxxxxxxxxx\r\n").await;
    let (first, second) = (format!("--grafana-url={}", body.url), format!("--mail-url={}", head.url));
    let app = TestApp::with(&[&first, &second]).await;
    let (_, html) = visit(&app, None, PAGE).await;
    assert_eq!((state(&html, "Grafana"), state(&html, "Mail sink")), ("reachable", "not reachable"));
    assert_eq!((body.asked(), head.asked()), (1, 1));
}

#[tokio::test]
async fn a_tool_that_returns_is_shown_as_reachable_soon() {
    let (closed, url) = listener().await;
    let address = closed.local_addr().unwrap();
    drop(closed);
    let app = TestApp::with(&[&format!("--runbooks-url={url}")]).await;
    assert_eq!(state(&visit(&app, None, PAGE).await.1, "Runbooks"), "not reachable");
    let listener = TcpListener::bind(address).await.unwrap();
    let router = Router::new().fallback(async || "ok");
    let _serving = AbortOnDropHandle::new(tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }));
    let is_back = async || when(state(&visit(&app, None, PAGE).await.1, "Runbooks") == "reachable");
    eventually("the page shows that the tool is back", is_back).await;
}

#[tokio::test]
async fn the_page_says_whether_demo_traffic_runs() {
    let app = TestApp::start().await;
    let (_, html) = visit(&app, None, PAGE).await;
    assert!(html.contains("Demo traffic is off") && html.contains("GRAFANA_URL"), "{html}");
    let app = TestApp::on(&app.stores, &["--demo-traffic=on"]).await;
    let (_, html) = visit(&app, None, PAGE).await;
    assert!(html.contains("Demo traffic is on") && html.contains("DEMO_TRAFFIC=off"), "{html}");
    // Demo traffic never runs in production.
    let app = TestApp::on(&app.stores, &["--demo-traffic=on", "--environment=production"]).await;
    let admin = app.admin().await;
    assert!(visit(&app, Some(&admin), PAGE).await.1.contains("Demo traffic is off"));
}
