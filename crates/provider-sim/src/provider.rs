//! A running platform: its identity and its state. Each field of the state has its own module, which contains its rules.

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

/// Settings shared by all platforms.
pub struct Site {
    /// The ID of the client, Vitrine.
    pub client_id: String,
    /// The secret of the client.
    pub client_secret: String,
    /// The keys that sign ID tokens.
    pub keys: Keys,
    public_url: String,
    callback_base: String,
}

/// One platform.
pub struct Provider {
    /// Which platform it is.
    pub platform: Platform,
    /// The settings shared with the other platforms.
    pub site: Arc<Site>,
    state: Mutex<State>,
}

/// The mutable state of a platform.
#[derive(Default)]
pub struct State {
    /// The faults and the incorrect behaviour that it simulates.
    pub knobs: Knobs,
    /// Its event counts.
    pub counts: Counts,
    /// Its codes and tokens.
    pub grants: Grants,
    /// Its posts.
    pub posts: Posts,
    /// The API calls of each account that count towards the rate limit.
    pub calls: Throttle,
}

impl Site {
    /// The settings for a simulator that listens on this address.
    ///
    /// # Errors
    /// When the file with the client secret cannot be read or is empty.
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

    /// The public base URL, without a trailing slash.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }
}

impl Provider {
    /// A platform with fresh state.
    pub fn new(platform: Platform, site: Arc<Site>, knobs: Knobs) -> Self {
        Self { platform, site, state: Mutex::new(State { knobs, ..State::default() }) }
    }

    /// Locks the platform's state. Hold the guard briefly, and never across an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The platform's base URL for browsers. The same URL is the platform's issuer identifier.
    pub fn issuer(&self) -> String {
        format!("{}/{}", self.site.public_url(), self.platform.name())
    }

    /// The only redirect URI that the platform accepts.
    pub fn redirect_uri(&self) -> String {
        format!("{}/{}/callback", self.site.callback_base, self.platform.name())
    }
}

impl State {
    /// Replaces the knobs. Earlier calls do not count towards the new rate limit.
    pub fn set_knobs(&mut self, knobs: Knobs) {
        self.knobs = knobs;
        self.calls = Throttle::default();
    }
}
