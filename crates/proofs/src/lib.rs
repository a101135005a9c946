//! Proofs of the claims about Vitrine. Each proof adds its steps to a report; the verbs of `cargo xtask` choose the proofs.
//!
//! | where | what |
//! | --- | --- |
//! | [`suite`], [`files`], [`prose`], [`doctest`] | tests, files that other programs read, the language of texts, commands of documents |
//! | [`deploy`] | files for more than one machine |
//! | [`smoke`], [`browser`], [`interface`] | a user's first minutes, every page, every operation of the API |
//! | [`roll`], [`version_skew`] | restarts under load, two versions on one database |
//! | [`fanout`], [`cardinality`] | events across replicas, hostile clients |
//! | [`exposure`], [`canary`] | no internal service is public, no operator sees a secret |
//! | [`correlate`] | from a slow panel to the log line, the trace, the statement, the job and its event; sampling and loss of traces |
//! | [`drill`], [`panels`], [`notifications`] | alerts fired by real causes, dashboards under the same causes, delivery to receivers |
//! | [`ha`] | monitoring that survives the loss of a server, federation, a long-term store |
//! | [`health_matrix`] | reports of probes, edge and monitoring under each fault, and the time to recover |
//! | [`dr_drill`] | everything returns from backups |
//! | [`reconcile`] | metrics count exactly what clients count |
//! | [`load`], [`peers`] | load with k6, a comparison with other services |
//! | [`growth`], [`footprint`] | cost at growing amounts of work, CPU and memory of each process |
//!
//! The other modules are clients: `browsing`, `sockets`, `users`, `attack`, `prometheus`, `scrape`. `machine` reads statistics of the kernel, and
//! `processes` lists the processes of a stack.

#![expect(clippy::missing_errors_doc, reason = "an error is a message for the terminal; no caller distinguishes causes")]

mod attack;
pub mod browser;
mod browsing;
pub mod canary;
pub mod cardinality;
pub mod correlate;
pub mod deploy;
pub mod doctest;
pub mod dr_drill;
pub mod drill;
pub mod exposure;
pub mod fanout;
pub mod files;
pub mod footprint;
pub mod growth;
pub mod ha;
pub mod health_matrix;
pub mod interface;
pub mod load;
mod machine;
mod mails;
pub mod notifications;
pub mod panels;
pub mod peers;
pub mod pictures;
mod processes;
mod prometheus;
pub mod prose;
pub mod reconcile;
pub mod roll;
mod scrape;
pub mod smoke;
mod sockets;
pub mod suite;
mod users;
pub mod version_skew;
