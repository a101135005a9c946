//! Changes of the log levels by admins, to see more of a replica without a restart.
//!
//! - A change applies to every replica, and ends within an hour: the levels are then those of `LOG` again.
//! - Replicas learn of a change over the bus. While Redis is unavailable, only the replica that receives the request changes its levels. A
//!   replica that restarts begins with `LOG`.

mod events;
mod model;
mod routes;
mod service;

pub use routes::routes;
pub use service::LogLevels;
