//! The real edge: Caddy with the project's own Caddyfile before replicas of a test.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use uuid::Uuid;

use super::{Ask, eventually, when};

/// Says where the program is.
const VARIABLE: &str = "CADDY";

/// A running Caddy; it goes with the value.
pub struct Edge {
    process: Child,
    /// Where it keeps what it keeps.
    folder: PathBuf,
    pub address: SocketAddr,
}

impl Edge {
    /// Before the replicas at these addresses, answering; nothing, and a loud word, where the program is not.
    pub async fn before(replicas: &[SocketAddr]) -> Option<Self> {
        let Some(program) = std::env::var_os(VARIABLE) else {
            eprintln!("SKIPPED: {VARIABLE} is not set: nothing is tested through the edge");
            return None;
        };
        let [address, tls, metrics, admin] = free();
        let folder = std::env::temp_dir().join(format!("vitrine-edge-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).unwrap();
        let upstreams: Vec<String> = replicas.iter().map(SocketAddr::to_string).collect();
        let process = Command::new(program)
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Caddyfile"))
            .env("XDG_DATA_HOME", &folder)
            .env("XDG_CONFIG_HOME", &folder)
            .env("EDGE_BIND", address.ip().to_string())
            .env("EDGE_HTTP_PORT", address.port().to_string())
            .env("EDGE_HTTPS_PORT", tls.port().to_string())
            .env("CADDY_METRICS", metrics.to_string())
            .env("CADDY_ADMIN", admin.to_string())
            .env("UPSTREAMS", upstreams.join(" "))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let edge = Self { process, folder, address };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        eventually("the edge answers", async || {
            let answer = client.get(format!("{}/health", edge.url())).try_answer().await.ok()?;
            when(answer.status == 200)
        })
        .await;
        Some(edge)
    }

    /// Where clients reach it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

/// Different free ports of a loopback address that nobody else uses, so that they stay free.
fn free<const COUNT: usize>() -> [SocketAddr; COUNT] {
    let address = super::own_loopback();
    let held = [(); COUNT].map(|()| TcpListener::bind((address, 0)).unwrap());
    held.each_ref().map(|listener| listener.local_addr().unwrap())
}
