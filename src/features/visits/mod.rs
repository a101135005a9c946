//! Visits: what browsers report of the pages that they show. Nothing of it is stored; it becomes metrics.
//!
//! - A beacon may name only what is listed among the labels: no visitor can make a series. One thing that is unknown, and the
//!   whole beacon is refused.
//! - What a beacon says is its sender's claim. Values that no visit has are refused, each address may report so much and
//!   no more, and what calls itself a robot is thanked and not counted.

mod events;
mod model;
mod routes;
mod service;

pub use routes::routes;
pub use service::Visits;
