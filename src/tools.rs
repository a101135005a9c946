//! The state of the tools for operators, such as Grafana: whether this replica reaches them. `config` has the addresses of the tools. The
//! operator's page shows the states, and links for browsers.
//!
//! Visitors cannot cause load: one check serves all visitors of the next seconds, asks all tools at the same time, and reads no more than
//! the head of each response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use clap::ValueEnum;
use futures_util::future::join_all;
use http_body_util::Empty;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Mutex;
use url::Url;

use crate::config::{Tool, ToolUrls};

/// Time for the head of a response.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long the result of a check is shown.
const KEPT: Duration = Duration::from_secs(5);
/// Largest accepted head of a response in bytes. Real heads are far smaller.
const HEAD_LIMIT: usize = 16 << 10;

/// The dashboards of `monitoring/grafana/dashboards/`, each with its uid and its title, in the order of `docs/MONITORING.md`.
pub const DASHBOARDS: [(&str, &str); 14] = [
    ("vitrine-overview", "Overview"),
    ("vitrine-api-performance", "API performance"),
    ("vitrine-http-detail", "HTTP detail"),
    ("vitrine-environments", "Environments"),
    ("vitrine-realtime", "Realtime"),
    ("vitrine-accounts", "Accounts and integrations"),
    ("vitrine-runtime", "Runtime"),
    ("vitrine-frontend", "Frontend"),
    ("vitrine-infrastructure-slo", "Infrastructure and SLO"),
    ("vitrine-database-cache", "Database and cache"),
    ("vitrine-machine", "Machine"),
    ("vitrine-containers", "Processes and containers"),
    ("vitrine-monitoring", "Monitoring"),
    ("vitrine-load-test", "Load test"),
];

/// The state of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It reports that it works.
    Reachable,
    /// It responds with a status that is no success.
    Answers(StatusCode),
    /// It does not respond in time.
    Unreachable,
}

/// A tool that has an address for browsers.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The tool.
    pub tool: Tool,
    /// Its URL for browsers.
    pub link: Url,
    /// What the last check found.
    pub state: State,
}

/// The tools of this stack; a clone is cheap.
#[derive(Clone)]
pub struct Tools(Arc<Inner>);

struct Inner {
    urls: ToolUrls,
    http: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// The last check, and the time of its end.
    last: Mutex<Option<(Instant, Vec<Listed>)>>,
}

impl Tools {
    /// The tools with these URLs.
    #[must_use]
    pub fn new(urls: ToolUrls) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let https = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(tcp);
        let http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).http1_max_buf_size(HEAD_LIMIT).build(https);
        Self(Arc::new(Inner { urls, http, last: Mutex::default() }))
    }

    /// The tools that have an address for browsers, with their states of the last seconds.
    pub async fn list(&self) -> Vec<Listed> {
        let this = self.clone();
        // In a task of its own: otherwise each visitor who disconnects would end a check, and the next visitor would start another one.
        tokio::spawn(async move { this.checked().await }).await.unwrap_or_default()
    }

    async fn checked(&self) -> Vec<Listed> {
        let mut last = self.0.last.lock().await;
        if let Some((at, listed)) = &*last
            && at.elapsed() < KEPT
        {
            return listed.clone();
        }
        let listed = join_all(Tool::value_variants().iter().filter_map(|tool| self.check(*tool))).await;
        *last = Some((Instant::now(), listed.clone()));
        listed
    }

    fn check(&self, tool: Tool) -> Option<impl Future<Output = Listed>> {
        let link = self.0.urls.link(tool)?.clone();
        let address = self.0.urls.address(tool)?.as_str().trim_end_matches('/');
        let request = Request::get(format!("{address}{}", health(tool))).body(Empty::new());
        Some(async move {
            let Ok(request) = request else { return Listed { tool, link, state: State::Unreachable } };
            // The body of the response is dropped unread, which closes the connection.
            let status = tokio::time::timeout(DEADLINE, self.0.http.request(request)).await.map(|sent| sent.map(|answer| answer.status()));
            let state = match status {
                Ok(Ok(status)) if status.is_success() => State::Reachable,
                Ok(Ok(status)) => State::Answers(status),
                Ok(Err(_)) | Err(_) => State::Unreachable,
            };
            Listed { tool, link, state }
        })
    }
}

/// The path at which a tool reports that it works.
fn health(tool: Tool) -> &'static str {
    match tool {
        Tool::Grafana => "/api/health",
        Tool::Prometheus | Tool::Alertmanager => "/-/ready",
        Tool::Mail => "/healthz",
        Tool::ProviderSim => "/health",
        Tool::Runbooks => "/Watchdog",
    }
}
