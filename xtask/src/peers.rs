//! Compares one replica with other services that have the same six routes: `cargo xtask peers` starts them, tests, measures and judges
//! them.
//! The services are in `benches/peers/`; the order of a run is in `verbs/peers.rs`.

pub mod cases;
pub mod contract;
pub mod document;
pub mod fixture;
pub mod goals;
pub mod load;
pub mod machine;
pub mod measure;
pub mod programs;
pub mod results;
pub mod target;
