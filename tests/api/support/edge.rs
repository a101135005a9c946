//! The real edge: Caddy with the project's own Caddyfile in front of replicas of a test.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use uuid::Uuid;

use super::{Ask, Raw, Scrape, eventually, when};

/// The environment variable with the path of Caddy.
const VARIABLE: &str = "CADDY";
const CADDYFILE: &str = "Caddyfile";
const ACCESS_LOG: &str = "access.log";

/// A running Caddy, killed when dropped.
pub struct Edge {
    process: Child,
    /// Caddy's state, the socket of its admin interface, and its access log.
    folder: PathBuf,
    variables: Vec<(String, String)>,
    client: Client,
    metrics: SocketAddr,
    pub address: SocketAddr,
}

impl Edge {
    /// Starts Caddy in front of the replicas at these addresses and waits until the service is healthy. Prints a line and returns `None` if
    /// `CADDY` is not set.
    pub async fn before(replicas: &[SocketAddr]) -> Option<Self> {
        Self::with(replicas, &[]).await
    }

    /// As [`Self::before`], with extra variables for the Caddyfile.
    pub async fn with(replicas: &[SocketAddr], variables: &[(&str, &str)]) -> Option<Self> {
        let edge = Self::alone(replicas, variables).await?;
        edge.until_healthy().await;
        Some(edge)
    }

    /// As [`Self::with`], but does not wait for a replica, so none has to be reachable.
    pub async fn alone(replicas: &[SocketAddr], variables: &[(&str, &str)]) -> Option<Self> {
        if std::env::var_os(VARIABLE).is_none() {
            eprintln!("SKIPPED: {VARIABLE} is not set: nothing is tested through the edge");
            return None;
        }
        let [address, tls, metrics] = free();
        let folder = std::env::temp_dir().join(format!("vitrine-edge-{}", Uuid::new_v4().simple()));
        fs::create_dir(&folder).unwrap();
        let upstreams: Vec<String> = replicas.iter().map(SocketAddr::to_string).collect();
        let standard = [
            ("XDG_DATA_HOME", folder.display().to_string()),
            ("XDG_CONFIG_HOME", folder.display().to_string()),
            ("EDGE_BIND", address.ip().to_string()),
            ("EDGE_HTTP_PORT", address.port().to_string()),
            ("EDGE_HTTPS_PORT", tls.port().to_string()),
            ("CADDY_METRICS", format!(":{}", metrics.port())),
            ("CADDY_ADMIN", admin(&folder)),
            ("UPSTREAMS", upstreams.join(" ")),
        ];
        let standard = standard.into_iter().map(|(name, value)| (name.to_owned(), value));
        let more = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables: Vec<_> = standard.chain(more).collect();
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let edge = Self { process: run(&variables, &folder), folder, variables, client, metrics, address };
        eventually("the edge responds", async || edge.get("/health").try_answer().await.ok()).await;
        Some(edge)
    }

    /// The base URL of the edge.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url()))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A raw connection.
    pub async fn raw(&self) -> Raw {
        Raw::connect(self.address).await
    }

    /// Caddy's own metrics.
    pub async fn scrape(&self) -> Scrape {
        let answer = self.client.get(format!("http://{}/metrics", self.metrics)).answer().await;
        Scrape::parse(&answer.expect(200).text())
    }

    /// Waits for the line of the access log about the request with this identifier.
    pub async fn line_of(&self, id: &str) -> Value {
        let line = async || {
            let log = fs::read_to_string(self.folder.join(ACCESS_LOG)).unwrap();
            log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|line| line["trace_id"] == id)
        };
        eventually(&format!("{id} is in the access log"), line).await
    }

    /// The number of requests that Caddy's handler `reverse_proxy` has ended with this status.
    pub async fn ended_with(&self, status: &str) -> f64 {
        let labels = [("handler", "reverse_proxy"), ("code", status)];
        self.scrape().await.get("caddy_http_request_duration_seconds_count", &labels)
    }

    /// Reloads the Caddyfile, as an operator does after a change. Returns when the new configuration is active; requests that the old
    /// one accepted may still be in progress.
    pub async fn reload(&self) {
        let mut reload = command(&self.variables, "reload");
        reload.args(["--force", "--address", &admin(&self.folder)]).stderr(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || reload.status().unwrap()).await.unwrap();
        assert!(ended.success(), "{ended}");
    }

    /// Stops Caddy gracefully and waits until it has exited.
    pub async fn stop(&mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-s", "TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        eventually("the edge exits", async || self.process.try_wait().unwrap()).await
    }

    /// Starts Caddy on the same address again, and waits until the service is healthy.
    pub async fn start_again(&mut self) {
        self.process = run(&self.variables, &self.folder);
        self.until_healthy().await;
    }

    /// Waits until the service responds. A site with a host name redirects this request, which has another name, to HTTPS.
    async fn until_healthy(&self) {
        let responds = async || when(matches!(self.get("/health").try_answer().await.ok()?.status, 200 | 308));
        eventually("the service responds through the edge", responds).await;
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

/// The admin interface listens on a Unix socket, because Caddy would refuse requests to the loopback address of this test: its check of the
/// Host header accepts only the usual loopback addresses.
fn admin(folder: &Path) -> String {
    format!("unix/{}", folder.join("admin.sock").display())
}

fn run(variables: &[(String, String)], folder: &Path) -> Child {
    let log = File::options().append(true).create(true).open(folder.join(ACCESS_LOG)).unwrap();
    command(variables, "run").stdout(log).spawn().unwrap()
}

fn command(variables: &[(String, String)], verb: &str) -> Command {
    let mut command = Command::new(std::env::var_os(VARIABLE).unwrap());
    command.args([verb, "--adapter", "caddyfile", "--config"]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(CADDYFILE));
    command.envs(variables.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    command
}

/// Distinct free ports of a random loopback address. Other programs hardly ever use the same address, so the ports stay free.
fn free<const COUNT: usize>() -> [SocketAddr; COUNT] {
    let address = super::own_loopback();
    let held = [(); COUNT].map(|()| TcpListener::bind((address, 0)).unwrap());
    held.each_ref().map(|listener| listener.local_addr().unwrap())
}
