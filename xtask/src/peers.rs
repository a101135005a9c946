//! One replica beside other services with the same six routes: what `cargo xtask peers` starts, asks, measures and judges.
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
