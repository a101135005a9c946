//! Proves that panels work: under load none of them is empty, and each reacts to the failure it exists to show.
//!
//! `panels/causes` injects the failures, and `panels/typescript` lists them for the dashboards' sources. `panels/shown` queries the data of
//! a panel, `panels/baseline` decides whether the data has moved from its baseline, and `panels/proof` runs the proof. The panels
//! themselves belong to `dashboards`.

mod baseline;
mod causes;
mod proof;
mod shown;
mod typescript;

pub use causes::Cause;
pub use proof::Proof;
pub use typescript::causes;
