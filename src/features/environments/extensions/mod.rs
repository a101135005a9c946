//! Extensions of environments: which ones users have requested, and their installation status. A request stores the desired state. A job
//! installs or removes the extension: immediately if the environment runs, otherwise at the environment's next start.
//!
//! To add an extension, add a variant to [`Extension`](crate::domain::Extension) and an entry to `catalogue`.

mod catalogue;
mod change;
mod jobs;
mod model;
mod routes;
mod service;
mod store;

pub use catalogue::row;
pub use change::ChangeExtension;
pub use jobs::enqueue_wanted;
pub use model::{Install, InstallStatus};
pub use routes::routes;
pub use store::{forget_installed, of_environment};
