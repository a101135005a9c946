//! Contracts between files, checked without a running stack. The files are the catalogue, documents, rules, runbooks, dashboards and
//! configurations.
//!
//! `UPDATE_GENERATED=1 cargo test --test contract` (`cargo xtask catalogue`) regenerates the generated documents.
//! `files`, `promql` and `scrapes` hold shared parsers; every other module covers one topic.

#![expect(clippy::unwrap_used, reason = "a failed test ends with a panic")]

mod alerts;
mod builds;
mod cardinality;
mod dashboards;
mod documents;
mod ecs;
mod figures;
mod files;
mod foreign_names;
mod guides;
mod ha;
mod inhibitions;
mod interface;
mod kubernetes;
mod limits;
mod links;
mod metrics;
mod paths;
mod promql;
mod published;
mod runbooks;
mod scrapes;
mod series;
mod spans;
mod thresholds;
mod tracing;
mod troubleshooting;
