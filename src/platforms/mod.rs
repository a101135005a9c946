//! The configured platforms: their settings, an HTTP client with metrics and limits, and adapters for the platforms' own APIs.
//!
//! Sign-in, linked accounts, tokens and posts belong to the features `oauth` and `posts`. To add a platform, add a variant to
//! [`Platform`], its API to [`api`], its abilities to the checks in `settings.rs`, and a table to the file that `PLATFORMS_FILE` names.

pub mod api;
mod client;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use client::{CallError, Client, Request, Response};
pub use settings::{Authority, Settings, SettingsError};

use crate::config::Config;
use crate::domain::Platform;
use crate::metrics::Metrics;
use crate::metrics::labels::{ApiEndpoint, ApiStatus};

/// The configured platforms; clones share them.
#[derive(Clone)]
pub struct Platforms(Arc<Inner>);

struct Inner {
    settings: BTreeMap<Platform, Settings>,
    client: Client,
}

impl Platforms {
    /// Reads the file that `PLATFORMS_FILE` names; without one, no platform is configured.
    ///
    /// # Errors
    /// When the file or a secret file cannot be read, or the settings are invalid.
    pub fn of(config: &Config, metrics: &Metrics) -> Result<Self, SettingsError> {
        let settings = match &config.platforms_file {
            Some(path) => settings::read(path, config.environment)?,
            None => BTreeMap::new(),
        };
        for (platform, settings) in &settings {
            for endpoint in settings.endpoints() {
                for status in ApiStatus::MEMBERS {
                    metrics.social_api_calls.touch(&[platform.name(), endpoint.name(), status.name()]);
                }
                // Creates the histogram, so that it is exported before the first call.
                drop(metrics.social_api_duration.with(&[platform.name(), endpoint.name()]));
            }
        }
        Ok(Self(Arc::new(Inner { settings, client: Client::new(metrics.clone()) })))
    }

    /// The settings of every configured platform, in the order of [`Platform`]'s variants.
    pub fn all(&self) -> impl Iterator<Item = &Settings> {
        self.0.settings.values()
    }

    /// The settings of a platform, if it is configured.
    #[must_use]
    pub fn get(&self, platform: Platform) -> Option<&Settings> {
        self.0.settings.get(&platform)
    }

    /// The HTTP client for all platforms.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }
}

impl Settings {
    /// The endpoints that the service may call with these settings.
    fn endpoints(&self) -> impl Iterator<Item = ApiEndpoint> + '_ {
        let is_oidc = matches!(self.authority, Authority::Oidc { .. });
        ApiEndpoint::MEMBERS.iter().copied().filter(move |endpoint| match endpoint {
            ApiEndpoint::Discovery | ApiEndpoint::Keys => is_oidc,
            ApiEndpoint::Identity => !is_oidc,
            ApiEndpoint::Token | ApiEndpoint::Revocation => true,
            ApiEndpoint::Post | ApiEndpoint::Insights => self.post,
        })
    }
}
