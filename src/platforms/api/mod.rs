//! Adapters for the platforms' own APIs: the identity of a user and, where Vitrine can post, posts and the account's figures.
//!
//! Each adapter has its own file; this file selects the adapter. Requests carry a token from the feature `oauth`.

mod github;
mod limits;
mod linkedin;
mod mastodon;
mod message;
mod session;
mod x;

pub use message::Message;
pub use session::{ApiFailure, Identity, Insights, Published, Session};

use crate::domain::Platform;

impl Session<'_> {
    /// The account that the token belongs to.
    ///
    /// # Errors
    /// See [`ApiFailure`].
    pub async fn identity(&self) -> Result<Identity, ApiFailure> {
        match self.settings.platform {
            Platform::Github => github::identity(self).await,
            Platform::Mastodon => mastodon::identity(self).await,
            Platform::X => x::identity(self).await,
            // These platforms' identities come from OpenID Connect.
            Platform::Gitlab | Platform::Google | Platform::Linkedin => Err(ApiFailure::NotUnderstood),
        }
    }

    /// Posts a message as the account that the token belongs to; `subject` is the account's identifier. `key` is an idempotency key:
    /// Mastodon recognizes it for an hour and makes no second post. X and `LinkedIn` ignore it, but refuse a duplicate text.
    ///
    /// # Errors
    /// See [`ApiFailure`]; after `NoAnswer`, `Failed` and `NotUnderstood` the post may have been published.
    pub async fn publish(&self, message: &Message<'_>, subject: &str, key: &str) -> Result<Published, ApiFailure> {
        let published = match self.settings.platform {
            Platform::Mastodon => mastodon::publish(self, message, key).await?,
            Platform::X => x::publish(self, message, key).await?,
            Platform::Linkedin => linkedin::publish(self, message, subject, key).await?,
            Platform::Github | Platform::Gitlab | Platform::Google => return Err(nothing_to_post_on()),
        };
        published.checked()
    }

    /// The figures of the account that the token belongs to.
    ///
    /// # Errors
    /// See [`ApiFailure`].
    pub async fn insights(&self) -> Result<Insights, ApiFailure> {
        match self.settings.platform {
            Platform::Mastodon => mastodon::insights(self).await,
            Platform::X => x::insights(self).await,
            Platform::Linkedin => linkedin::insights(self).await,
            Platform::Github | Platform::Gitlab | Platform::Google => Err(nothing_to_post_on()),
        }
    }
}

fn nothing_to_post_on() -> ApiFailure {
    ApiFailure::Refused("Vitrine cannot post on this platform".to_owned())
}
