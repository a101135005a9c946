//! HTTP code that all features share: problem responses, extractors, paging and the layers of the router.
//!
//! This module depends neither on a feature nor on the state that holds the features. A feature's rules belong in its `service.rs`, its
//! responses in its `routes.rs`.

pub mod access;
pub mod address;
pub mod context;
pub mod cookie;
pub mod error;
pub mod extract;
pub mod faults;
mod host;
pub mod layers;
pub mod origin;
pub mod page;
pub mod precondition;
pub mod queue;
pub mod unread;

pub use error::{ApiError, Code, Problem};
