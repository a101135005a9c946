//! All metrics of the service: their names, labels and export.
//!
//! To add a metric, add a row to [`catalogue`] and, if it needs new labels, a type to [`labels`]. A counter shows how often something
//! happens, a gauge the current amount, and a histogram durations or sizes. [`http`] already records the requests of each route with
//! their errors, durations and sizes; `db` and `cache` record query outcomes, Redis commands and cache lookups. This module may import
//! `domain`, but no other module of the crate.

pub mod catalogue;
pub mod document;
pub mod exporter;
mod family;
pub mod http;
pub mod kinds;
pub mod labels;
pub mod samplers;

pub use catalogue::Catalogue;

/// The handle to all metrics. Each [`App`](crate::app::App) has its own, so that two applications in one process, as in tests, do not
/// share counts.
pub type Metrics = std::sync::Arc<Catalogue>;

/// The commit of the build, or `unknown` if the build did not set `VITRINE_REVISION`.
pub const REVISION: &str = match option_env!("VITRINE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
/// The version of the compiler that built the program.
pub const RUSTC: &str = env!("RUSTC_VERSION");
