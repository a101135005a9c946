//! Proves that the dashboards' panels work: under load, every panel has data, and every panel reacts to its cause.
//!
//! `panels/proof` runs the proof. `panels/causes` injects the causes, `panels/query` has the queries of a panel, `panels/shown` sends them to
//! Prometheus, and `panels/baseline` decides whether the data has left its baseline. `panels/typescript` generates the list of causes for
//! the dashboards' sources. The dashboards are in `monitoring/grafana/`; `rule_tools::dashboards` reads them.

mod baseline;
mod causes;
mod proof;
mod query;
mod shown;
mod typescript;

pub use causes::Cause;
pub use proof::Proof;
pub use typescript::causes;
