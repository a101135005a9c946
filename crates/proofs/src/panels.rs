//! Proves that the dashboards' panels work: under load, every panel has data, and every panel reacts to its cause.
//!
//! `panels/proof` runs the proof, and `panels/first_rows` looks at the first rows of a stack that has just started. `panels/query` has the
//! queries of a panel. `panels/causes` injects the causes, `panels/shown` queries the data of a panel, and `panels/baseline`
//! decides whether the data has left its baseline. `panels/typescript` generates the list of causes for the dashboards' sources. The
//! dashboards are in `monitoring/grafana/`; `rule_tools::dashboards` reads them.

mod baseline;
mod causes;
pub mod first_rows;
mod proof;
pub(crate) mod query;
mod shown;
mod typescript;

pub use causes::Cause;
pub use proof::Proof;
pub(crate) use shown::now;
pub use typescript::causes;
