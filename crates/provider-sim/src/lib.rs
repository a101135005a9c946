//! Simulates six login and social platforms, and the receivers of alerts. The protocols are real and the accounts are invented. Faults and
//! lies (wrong values in otherwise valid responses) can be switched on.
//!
//! | to find | look at |
//! | --- | --- |
//! | the platforms and their properties | [`Platform`] |
//! | logins: codes, tokens, ID tokens | `oauth/`, with their state in `grants` |
//! | each platform's own API, posting | `platforms/`, with its state in `posts` |
//! | Slack, `PagerDuty` and a webhook, which receive alerts | `notifications/` |
//! | faults and lies | [`Knobs`]; `faults` makes calls fail; `oauth/`, `keys` and `platforms/github` implement the lies |
//! | the state of one platform while the simulator runs | `provider` |
//! | the simulator's own routes and pages | `control`, `pages/` |
//! | connections | `server` |
//!
//! All state is in memory and is lost when the simulator stops. About Vitrine, the simulator knows only the callback URLs and the client
//! credentials.

mod account;
mod body;
mod config;
mod control;
mod counts;
mod faults;
mod grants;
mod keys;
mod knobs;
mod notifications;
mod oauth;
mod observe;
mod pages;
mod platform;
mod platforms;
mod posts;
mod provider;
mod router;
mod server;
mod throttle;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use config::Config;
pub use counts::Counts;
pub use knobs::{Knobs, Lie, Outage, RateLimit};
pub use platform::Platform;

use keys::Keys;
use provider::{Provider, Site};

/// A running simulator; dropping it stops it.
pub struct Simulator {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Simulator {
    /// Generates a key, binds the listener, and starts to serve in the background.
    ///
    /// # Errors
    /// When the address is unavailable, or a file named in the configuration is invalid.
    pub async fn start(config: Config) -> io::Result<Self> {
        let knobs = config.knobs()?;
        let listener = TcpListener::bind(config.listen_address).await?;
        let address = listener.local_addr()?;
        let keys = Keys::generate().await?;
        let site = Arc::new(Site::new(config, address, keys)?);
        let providers: Vec<_> = Platform::ALL
            .into_iter()
            .map(|platform| Arc::new(Provider::new(platform, site.clone(), knobs.get(&platform).cloned().unwrap_or_default())))
            .collect();
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(server::serve(listener, router::build(providers), stopping));
        Ok(Self { address, stop, serving })
    }

    /// The address on which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, such as `google` or `knobs/google`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Stops accepting connections, gives requests in flight a moment to finish, and stops.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // An error means that the task panicked or was aborted; it has ended in either case.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
