//! Compares one replica with other services that have the same six routes: `cargo xtask peers` starts them, tests, measures and judges
//! them.
//! The services are in `benches/peers/`; the order of a run is in `peers/proof.rs`.

mod cases;
mod contract;
mod document;
mod fixture;
mod goals;
mod load;
mod machine;
mod measure;
mod programs;
mod proof;
mod results;
mod target;

pub use proof::{Options, add};
