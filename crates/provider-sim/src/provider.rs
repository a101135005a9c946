//! One platform while the simulator runs: what it is, and what is remembered of it. No rules are here.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::counts::Counts;
use crate::grants::Grants;
use crate::keys::Keys;
use crate::knobs::Knobs;
use crate::platform::Platform;
use crate::posts::Posts;
use crate::throttle::Throttle;

/// What all platforms share.
pub struct Site {
    /// The name of the one client.
    pub client_id: String,
    /// What proves that it is the client.
    pub client_secret: String,
    /// What signs ID tokens.
    pub keys: Keys,
    public_url: String,
    callback_base: String,
}

/// One platform.
pub struct Provider {
    /// Which one.
    pub platform: Platform,
    /// What it shares with the others.
    pub site: Arc<Site>,
    state: Mutex<State>,
}

/// What changes.
#[derive(Default)]
pub struct State {
    /// What goes wrong.
    pub knobs: Knobs,
    /// How often what happened.
    pub counts: Counts,
    /// Codes and tokens.
    pub grants: Grants,
    /// Posts.
    pub posts: Posts,
    /// The latest API calls of accounts.
    pub calls: Throttle,
}

impl Site {
    /// The site that listens on this address.
    ///
    /// # Errors
    /// When the file of the secret is not what it should be.
    pub fn new(config: Config, address: SocketAddr, keys: Keys) -> io::Result<Self> {
        let client_secret = config.secret()?;
        let public_url = config.public_url.map_or_else(|| format!("http://{address}"), String::from);
        let without_slash = |url: &str| url.trim_end_matches('/').to_owned();
        Ok(Self {
            client_id: config.client_id,
            client_secret,
            keys,
            public_url: without_slash(&public_url),
            callback_base: without_slash(config.callback_base.as_str()),
        })
    }

    /// Where browsers find it, without a slash at the end.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }
}

impl Provider {
    /// A platform on which nothing has happened yet.
    pub fn new(platform: Platform, site: Arc<Site>, knobs: Knobs) -> Self {
        Self { platform, site, state: Mutex::new(State { knobs, ..State::default() }) }
    }

    /// What changes. Held for moments, never while waiting for something.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its address as browsers know it, which is its name as an issuer.
    pub fn issuer(&self) -> String {
        format!("{}/{}", self.site.public_url(), self.platform.name())
    }

    /// The one address to which it sends answers.
    pub fn redirect_uri(&self) -> String {
        format!("{}/{}/callback", self.site.callback_base, self.platform.name())
    }
}

impl State {
    /// From now on this goes wrong. Calls that were made before do not count against a new limit.
    pub fn set_knobs(&mut self, knobs: Knobs) {
        self.knobs = knobs;
        self.calls = Throttle::default();
    }
}
