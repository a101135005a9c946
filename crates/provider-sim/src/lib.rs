//! Plays six sign-in and social platforms in small, and where alerts go: real protocols, made-up people, and faults and lies on request.
//!
//! | to find | look at |
//! | --- | --- |
//! | the platforms, what each one is | [`Platform`] |
//! | signing in: codes, tokens, ID tokens | `oauth/`, and `grants` for what is remembered of them |
//! | each platform's own API, posting | `platforms/`, and `posts` for what is remembered of them |
//! | Slack, `PagerDuty` and a webhook, which alerts are sent to | `notifications/` |
//! | what can be made to go wrong | [`Knobs`]; `faults` does it to calls, `oauth/` tells the lies |
//! | what is known of one platform while the simulator runs | `provider` |
//! | the simulator's own routes and pages | `control`, `pages/` |
//! | connections | `server` |
//!
//! Everything is in memory and gone at the end. Nothing here knows Vitrine but its callback address.

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
    /// Makes a key, listens and answers from then on.
    ///
    /// # Errors
    /// When the address cannot be had, or a file that the configuration names is not what it should be.
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

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of a path, such as `google` or `knobs/google`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Takes no more connections, finishes what is in flight within a moment, and ends.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // It fails only when it was aborted, and then it has ended too.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
