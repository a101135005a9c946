//! What must agree with what, found without any service running: catalogue, documents, rules, alerts, runbooks, dashboards,
//! and the limits that more than one file repeats.
//!
//! `UPDATE_GENERATED=1 cargo test --test contract` (`cargo xtask catalogue`) writes the generated documents anew.
//! Reading belongs to `files` and `promql`; each other file is one topic.

#![expect(clippy::unwrap_used, reason = "a failed test ends with a panic")]

mod alerts;
mod builds;
mod cardinality;
mod dashboards;
mod documents;
mod figures;
mod files;
mod foreign_names;
mod inhibitions;
mod interface;
mod limits;
mod links;
mod metrics;
mod promql;
mod runbooks;
mod scrapes;
mod series;
mod thresholds;
