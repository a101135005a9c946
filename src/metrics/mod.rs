//! All metrics of the service: their names, labels and export.
//!
//! To add a metric, add a row to [`catalogue`] and, if it needs new labels, a type to [`labels`]. The question that the metric answers
//! decides its kind: counter (how often), gauge (how much now), or histogram (how long, how big). [`http`], `db` and `cache` already
//! record request rate, errors, duration and size per route, query outcomes, Redis commands and cache lookups. Of the other modules,
//! this one imports only `domain`.

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
/// The oldest Rust version that `Cargo.toml` allows.
pub const RUSTC: &str = env!("CARGO_PKG_RUST_VERSION");
