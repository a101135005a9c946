//! Compares one replica with its peers: the services in `benches/peers/`, which have six of Vitrine's routes or only the health check.
//! `cargo xtask peers` starts the replica and each peer, checks that their responses are equivalent, measures the services in turn, and
//! compares the figures with the goals. `peers/proof.rs` has the order of a run.

pub(crate) mod cases;
mod collector;
mod contract;
pub(crate) mod document;
pub(crate) mod fixture;
mod goals;
pub(crate) mod load;
pub(crate) mod measure;
mod programs;
mod proof;
pub(crate) mod results;
pub(crate) mod target;

pub use proof::{Options, add};
