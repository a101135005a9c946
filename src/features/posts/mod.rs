//! Posts: announcements of a published project on platforms, and the status of their delivery. Insights: figures of the author's accounts
//! on platforms.
//!
//! - A post, its deliveries and their jobs are written in one transaction. Every delivery of an accepted post therefore
//!   succeeds, or fails with a reason, whatever happens to the replica. Editors, owners and admins post with the platform accounts that
//!   they have linked.
//! - A delivery ends once, as delivered or failed. If a platform is unavailable or busy, or sends an invalid response, the delivery is
//!   attempted up to five times; a refusal is final. Every attempt sends the same text and the same idempotency key.
//! - For an hour, Mastodon recognizes an idempotency key and does not publish the post again. Simulated platforms also recognize the key.
//!   The real X and `LinkedIn` ignore it. If an attempt succeeded there but the replica died before it stored the success, the next attempt
//!   sends the post again. If the platform then recognizes a recently published text, it refuses the post. The delivery counts as failed,
//!   with the platform's message, because the replica does not know whether the first post exists. If the platform does not recognize the
//!   text, the post appears twice.
//! - A delivery uses the account that is linked at the time of the attempt. An attempt fails for good if the project is no longer
//!   published. Deleting a project deletes its posts here, but not on the platforms.
//! - The platforms' APIs are in [`platforms::api`](crate::platforms::api); the feature `oauth` keeps the tokens.

mod deliver;
mod events;
mod insights;
mod jobs;
mod model;
mod platform_session;
mod routes;
mod service;
mod store;

use std::sync::Arc;

pub(crate) use model::{Delivery, Post};
pub use routes::routes;
pub use service::{Parts, Posts};

use self::deliver::DeliverPost;
use crate::jobs::Handler;
use crate::metrics::labels::JobKind;

impl Posts {
    /// The handlers of this feature's jobs.
    #[must_use]
    pub fn handlers(&self) -> Vec<(JobKind, Arc<dyn Handler>)> {
        vec![(JobKind::PostDelivery, Arc::new(DeliverPost(self.clone())))]
    }
}
