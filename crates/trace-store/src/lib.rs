//! Keeps the recent traces and log lines of a stack without containers: the collector sends them here as OTLP over HTTP. In place of Tempo
//! and Loki, which only Compose runs, this program answers the part of their query APIs that `cargo xtask trace` uses.
//!
//! | to find | look at |
//! | --- | --- |
//! | the routes of OTLP | `receive` |
//! | what is kept, and for how long | `memory`; `id` has the identifiers |
//! | the API of Tempo: a trace, a search | `tempo`; `query` reads searches, `json` writes spans |
//! | the API of Loki: the lines of a trace | `loki` |
//! | refusals | `refusal` |
//!
//! Everything is in memory and is lost when the program stops. The program has no authentication: it listens on loopback addresses.

mod config;
mod id;
mod json;
mod loki;
mod memory;
mod query;
mod receive;
mod refusal;
mod tempo;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use config::Config;

use memory::Memory;

/// A running store; dropping it stops it.
pub struct TraceStore {
    addresses: Vec<SocketAddr>,
    _serving: JoinSet<io::Result<()>>,
}

impl TraceStore {
    /// Binds the listeners and starts to serve in the background. Every address serves every route.
    ///
    /// # Errors
    /// When an address is unavailable.
    pub async fn start(config: &Config) -> io::Result<Self> {
        let memory = Arc::new(Memory::default());
        let router = receive::routes().merge(tempo::routes()).merge(loki::routes()).with_state(memory);
        let (mut addresses, mut serving) = (Vec::new(), JoinSet::new());
        for address in &config.listen_addresses {
            let listener = TcpListener::bind(address).await?;
            addresses.push(listener.local_addr()?);
            let router: Router = router.clone();
            serving.spawn(async move { axum::serve(listener, router).await });
        }
        Ok(Self { addresses, _serving: serving })
    }

    /// The addresses on which it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}
