//! What HTTP asks of every feature alike: problems, extractors, paging, the layers of the router.
//!
//! Knows no feature. The rules of a feature belong to its service, what it answers to its `routes.rs`.

pub mod address;
pub mod context;
pub mod cookie;
mod entity_tag;
pub mod error;
pub mod extract;
pub mod faults;
pub mod fields;
mod host;
pub mod layers;
pub mod origin;
pub mod page;
pub mod precondition;
pub mod unread;

pub use error::{ApiError, Code, FieldError, Problem};
