//! Compares one replica with other services that have the same six routes: `cargo xtask peers` starts them, tests, measures and judges
//! them.
//! The services are in `benches/peers/`; the order of a run is in `peers/proof.rs`.

pub(crate) mod cases;
mod contract;
pub(crate) mod document;
pub(crate) mod fixture;
mod goals;
pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod measure;
mod programs;
mod proof;
pub(crate) mod results;
pub(crate) mod target;

pub use proof::{Options, add};
