//! Metrics: the only module that names one.
//!
//! To add a metric, add a row to [`catalogue`] and, if it needs new labels, a type to [`labels`]. The question decides the kind: how
//! often (counter), how much now (gauge), how long or how big (histogram). Request rate, errors, duration and size per route, query
//! outcomes, Redis commands and cache lookups are recorded automatically by [`http`], `db` and `cache`. This module imports
//! `domain` alone.

pub mod catalogue;
pub mod document;
pub mod exporter;
mod family;
pub mod http;
pub mod kinds;
pub mod labels;
pub mod samplers;

pub use catalogue::Catalogue;

/// The handle to all metrics: one per [`App`](crate::app::App), so that two applications in one process, as in tests, do not share
/// counts.
pub type Metrics = std::sync::Arc<Catalogue>;

/// The commit of the build, or `unknown` outside of a checkout.
pub const REVISION: &str = match option_env!("VITRINE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
/// The Rust version that `Cargo.toml` requires.
pub const RUSTC: &str = env!("CARGO_PKG_RUST_VERSION");
