//! The service, started in the same way as in `main`, on a free port.

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

/// Time limit for each request of [`TestApp`] and for its shutdown: a test fails when the application hangs.
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
    /// Starts an application on new stores, and waits until the application is ready.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts an application on new stores with extra arguments, and waits until the application is ready.
    pub async fn with(arguments: &[&str]) -> Self {
        Self::on(&Stores::new().await, arguments).await
    }

    /// Starts an application on new stores with test routes and the service's own routes, and waits until the application is ready.
    pub async fn with_routes(routes: OpenApiRouter<AppState>, arguments: &[&str]) -> Self {
        let app = Self::launch(&Stores::new().await, arguments, Some(routes));
        app.until_ready().await;
        app
    }

    /// Starts another replica on these stores, and waits until the replica is ready.
    pub async fn on(stores: &Stores, arguments: &[&str]) -> Self {
        let app = Self::launch(stores, arguments, None);
        app.until_ready().await;
        app
    }

    /// Starts another replica on these stores without waiting until it is ready.
    pub fn launch(stores: &Stores, arguments: &[&str], routes: Option<OpenApiRouter<AppState>>) -> Self {
        let config = configuration(stores, arguments);
        // The panic hook writes to the log; without a log, a failed assertion would print nothing.
        telemetry::init(&config);
        let app = match routes {
            Some(routes) => App::build_with(config, router::routes().merge(routes)),
            None => App::build(config),
        }
        .expect("failed to build the application");
        let (address, stop) = (app.address().unwrap(), CancellationToken::new());
        let running = tokio::spawn(app.run(stop.clone().cancelled_owned()));
        let client = Client::builder().timeout(HANG).redirect(Policy::none()).no_proxy().build().unwrap();
        Self { stores: stores.clone(), address, client, stop, running: Some(running) }
    }

    pub async fn until_ready(&self) {
        eventually("the application is ready", async || when(self.get("/health/ready").answer().await.status == 200)).await;
    }

    /// Waits until readiness returns this status: `ready`, `degraded`, `unready` or `draining`.
    pub async fn until_status(&self, limit: Duration, status: &str) {
        let probe = async || when(self.get("/health/ready").answer().await.json()["status"] == status);
        super::within(limit, &format!("readiness returns {status}"), probe).await;
    }

    /// The base URL of the application.
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

    pub async fn raw(&self) -> Raw {
        Raw::connect(self.address).await
    }

    pub async fn scrape(&self) -> Scrape {
        let answer = self.get("/metrics").answer().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Scrape::parse(&answer.text())
    }

    /// A scrape while no other request is in flight, so that all earlier requests have been counted.
    pub async fn settled(&self) -> Scrape {
        eventually("only the scrape is in flight", async || {
            let scrape = self.scrape().await;
            (scrape.get("http_requests_in_flight", &[]) <= 1.0).then_some(scrape)
        })
        .await
    }

    /// Starts the shutdown.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Shuts the application down and waits until it has ended.
    pub async fn leave(mut self) -> Result<(), AppError> {
        self.stop();
        let running = self.running.take().expect("the application has already shut down");
        tokio::time::timeout(HANG, running).await.expect("the application did not shut down in time").expect("the application panicked")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

/// The configuration of a replica on these stores. `arguments` override the standard arguments of tests.
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
        // While many tests run, requests may be late although a test sends few.
        ("queue-limit", "30s".to_owned()),
        ("sim-latency", "5ms".to_owned()),
        ("sim-failure-rate", "0".to_owned()),
        // All users of a test share one address, so the limits per network must not refuse them.
        ("registrations-per-minute", "100000".to_owned()),
        ("oauth-per-minute", "100000".to_owned()),
    ];
    let is_given = |name: &str| arguments.iter().any(|argument| argument.starts_with(&format!("--{name}=")));
    let standard = standard.iter().filter(|(name, _)| !is_given(name)).map(|(name, value)| format!("--{name}={value}"));
    let all = std::iter::once("vitrine".to_owned()).chain(standard).chain(arguments.iter().map(|argument| (*argument).to_owned()));
    let config = Cli::try_parse_from(all).expect("failed to parse the arguments").config;
    config.check().expect("the configuration is invalid");
    config
}

/// The argument that makes an application reach a store through a proxy.
pub fn through(name: &str, url: &Url, proxy: SocketAddr) -> String {
    let mut url = url.clone();
    url.set_host(Some(&proxy.ip().to_string())).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    format!("--{name}={url}")
}
