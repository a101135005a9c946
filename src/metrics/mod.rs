//! Everything that counts and measures, and the only place that names a metric.
//!
//! To add a metric, add one row to [`catalogue`] and, when it has labels of its own, one type to [`labels`]. Pick
//! the kind by the question: how often (counter), how much now (gauge), how long or how big (histogram). Request
//! rate, errors, duration and size per route, query outcomes, Redis commands and cache look-ups come without work,
//! from [`http`], `db` and `cache`. Nothing here imports another module of Vitrine.

pub mod catalogue;
pub mod document;
pub mod exporter;
pub mod http;
pub mod kinds;
pub mod labels;
pub mod samplers;

pub use catalogue::Catalogue;

/// The handle through which the whole application reports: one per [`App`](crate::app::App), so that two
/// applications in one process never share a number.
pub type Metrics = std::sync::Arc<Catalogue>;

/// The commit that was built, or `unknown` outside a checkout.
pub const REVISION: &str = match option_env!("VITRINE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
/// The compiler's version: the one that `Cargo.toml` asks for.
pub const RUSTC: &str = env!("CARGO_PKG_RUST_VERSION");
