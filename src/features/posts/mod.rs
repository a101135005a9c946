//! Posts: what an author tells the platforms of a published project, and what became of it on each of them. And insights: what
//! the author's account there has come to.
//!
//! - A post, its deliveries and the jobs that make them are written in one transaction: what was answered is delivered, or
//!   fails with a reason, whatever becomes of the replica. Editors and owners post, as themselves, on platforms that they
//!   have linked.
//! - A delivery ends once, as delivered or failed. A platform that is away, busy or not understood is tried again, up to five times;
//!   what it refuses is not. Every attempt sends the same text and the same key.
//! - A platform that knows such keys (Mastodon, the simulator) never shows a post twice. X and `LinkedIn` know none: when an attempt had
//!   its effect and the replica died before it was stored, the next may have it again. Both refuse a text that they have shown
//!   lately, and then the delivery reads as failed, with their words: that it may be there is not certain enough to say
//!   that it is.
//! - A delivery goes to the account that is linked when it is attempted. A project that is not published any more is not
//!   announced: what is pending fails. A project that is deleted takes its posts with it, those on platforms excepted.
//! - What posts have in common with platforms themselves is in [`platforms::api`](crate::platforms::api); tokens are kept by the feature
//!   `oauth`.

mod acting;
mod events;
mod insights;
mod model;
mod routes;
mod service;
mod store;
mod work;

pub(crate) use model::{Delivery, Post};
pub use routes::routes;
pub use service::{Parts, Posts};
