//! Tools for Prometheus' rules and Grafana's dashboards. They generate, check and read files. The crate `proofs` makes alerts fire
//! and panels react.
//!
//! | where | what |
//! | --- | --- |
//! | [`checks`] | runs external programs that check files |
//! | [`rules`] | rule files and their tests: read and checked |
//! | [`mutants`] | rules with one small change, which a test must detect |
//! | [`slo`] | rules and tests generated from objectives |
//! | [`generated`] | a file that a verb of `cargo xtask` writes or compares |
//! | [`dashboards`] | Grafana's JSON: generated, compared and read |

#![expect(clippy::missing_errors_doc, reason = "an error is a message for the terminal; no caller distinguishes causes")]

pub mod checks;
pub mod dashboards;
pub mod generated;
pub mod mutants;
pub mod rules;
pub mod slo;
