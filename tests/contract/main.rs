//! Contracts between files, checked without any running service: catalogue, documents, rules, alerts, runbooks, dashboards, and limits that
//! several files repeat.
//!
//! `UPDATE_GENERATED=1 cargo test --test contract` (`cargo xtask catalogue`) regenerates the generated documents.
//! `files` and `promql` hold shared parsers; each other file covers one topic.

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
