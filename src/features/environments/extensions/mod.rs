//! Extensions of environments: what a member wants to have installed, and how far it is. An extension is wanted by one
//! request and installed by a job, at once in a running environment and otherwise at its next start.
//!
//! A new one: a member of the label [`Extension`](crate::metrics::labels::Extension), and its row in `catalogue`.

mod catalogue;
mod model;
mod routes;
mod service;
mod store;
mod work;

pub use catalogue::row;
pub use model::{Install, InstallStatus};
pub use routes::routes;
pub use store::forget_installed;
pub use work::{ChangeExtension, enqueue_wanted};
