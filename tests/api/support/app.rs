//! The service, started the way `main` does it, on a free port.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;
use utoipa_axum::router::OpenApiRouter;
use vitrine::app::{App, AppError};
use vitrine::config::{Cli, Config};
use vitrine::state::AppState;
use vitrine::{router, telemetry};

use super::answer::Ask;
use super::{Raw, Scrape, Stores, eventually, when};

/// No request of a test may take longer, whatever has failed: a hang is a failure.
const HANG: Duration = Duration::from_secs(30);

/// A running application.
pub struct TestApp {
    pub stores: Stores,
    pub address: SocketAddr,
    client: Client,
    stop: CancellationToken,
    running: Option<JoinHandle<Result<(), AppError>>>,
}

impl TestApp {
    /// With stores of its own, ready.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With stores of its own and more arguments, ready.
    pub async fn with(arguments: &[&str]) -> Self {
        Self::on(&Stores::new().await, arguments).await
    }

    /// With test routes beside the service's own, ready.
    pub async fn with_routes(routes: OpenApiRouter<AppState>, arguments: &[&str]) -> Self {
        let app = Self::launch(&Stores::new().await, arguments, Some(routes));
        app.until_ready().await;
        app
    }

    /// One more replica on these stores, ready.
    pub async fn on(stores: &Stores, arguments: &[&str]) -> Self {
        let app = Self::launch(stores, arguments, None);
        app.until_ready().await;
        app
    }

    /// One more replica on these stores, ready or not.
    pub fn launch(stores: &Stores, arguments: &[&str], routes: Option<OpenApiRouter<AppState>>) -> Self {
        let config = configuration(stores, arguments);
        // The panic hook writes to the log: without one, a failed assertion would say nothing.
        telemetry::init(&config);
        let app = match routes {
            Some(routes) => App::build_with(config, router::routes().merge(routes)),
            None => App::build(config),
        }
        .expect("the application is built");
        let (address, stop) = (app.address().unwrap(), CancellationToken::new());
        let running = tokio::spawn(app.run(stop.clone().cancelled_owned()));
        let client = Client::builder().timeout(HANG).redirect(Policy::none()).no_proxy().build().unwrap();
        Self { stores: stores.clone(), address, client, stop, running: Some(running) }
    }

    pub async fn until_ready(&self) {
        eventually("the application is ready", async || when(self.get("/health/ready").answer().await.status == 200)).await;
    }

    /// Waits until readiness says `ready`, `degraded`, `unready` or `draining`.
    pub async fn until_status(&self, limit: Duration, status: &str) {
        let probe = async || when(self.get("/health/ready").answer().await.json()["status"] == status);
        super::within(limit, &format!("readiness says {status}"), probe).await;
    }

    /// Where clients reach it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url()))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    pub fn patch(&self, path: &str) -> RequestBuilder {
        self.request(Method::PATCH, path)
    }

    /// A connection on which a test writes what it likes.
    pub async fn raw(&self) -> Raw {
        Raw::connect(self.address).await
    }

    pub async fn scrape(&self) -> Scrape {
        let answer = self.get("/metrics").answer().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Scrape::parse(&answer.text())
    }

    /// A scrape at a moment when no other request is under way, so that everything before it has been counted.
    pub async fn settled(&self) -> Scrape {
        eventually("no request is in flight but the scrape", async || {
            let scrape = self.scrape().await;
            (scrape.get("http_requests_in_flight", &[]) <= 1.0).then_some(scrape)
        })
        .await
    }

    /// Tells the application to leave.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Tells the application to leave and waits until it has.
    pub async fn leave(mut self) -> Result<(), AppError> {
        self.stop();
        let running = self.running.take().expect("it leaves once");
        tokio::time::timeout(HANG, running).await.expect("the application leaves in time").expect("the application does not panic")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

/// The configuration of a replica on these stores; later arguments win.
pub fn configuration(stores: &Stores, arguments: &[&str]) -> Config {
    let standard = [
        ("listen-address", "127.0.0.1:0".to_owned()),
        ("database-url", stores.database_url().into()),
        ("database-max-connections", "5".to_owned()),
        ("redis-url", stores.redis_url().into()),
        ("redis-key-prefix", stores.prefix().to_owned()),
        ("log", "error".to_owned()),
        ("log-format", "text".to_owned()),
        ("drain-delay", "0s".to_owned()),
        ("drain-timeout", "5s".to_owned()),
        ("sim-latency", "5ms".to_owned()),
        ("sim-failure-rate", "0".to_owned()),
        // All of a test's people come from one address.
        ("registrations-per-minute", "100000".to_owned()),
        ("oauth-per-minute", "100000".to_owned()),
    ];
    let is_given = |name: &str| arguments.iter().any(|argument| argument.starts_with(&format!("--{name}=")));
    let standard = standard.iter().filter(|(name, _)| !is_given(name)).map(|(name, value)| format!("--{name}={value}"));
    let all = std::iter::once("vitrine".to_owned()).chain(standard).chain(arguments.iter().map(|argument| (*argument).to_owned()));
    let config = Cli::try_parse_from(all).expect("the arguments are understood").config;
    config.check().expect("the configuration is accepted");
    config
}

/// The argument that sends an application's statements through a proxy.
pub fn through(name: &str, url: &Url, proxy: SocketAddr) -> String {
    let mut url = url.clone();
    url.set_host(Some(&proxy.ip().to_string())).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    format!("--{name}={url}")
}
