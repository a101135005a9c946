//! The platforms' own APIs for the user's identity, posts and statistics. Each platform with an API has its own file.

mod github;
mod linkedin;
mod mastodon;
mod post;
mod problem;
mod x;

use std::sync::Arc;

use axum::Router;

pub use problem::Problem;

use crate::platform::Platform;
use crate::provider::Provider;

/// The routes of a platform's API. GitLab and Google have none, because they identify users by ID tokens and have no posts.
pub fn routes(platform: Platform) -> Router<Arc<Provider>> {
    match platform {
        Platform::Github => github::routes(),
        Platform::Mastodon => mastodon::routes(),
        Platform::Linkedin => linkedin::routes(),
        Platform::X => x::routes(),
        Platform::Gitlab | Platform::Google => Router::new(),
    }
}
