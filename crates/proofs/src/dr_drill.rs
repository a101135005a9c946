//! Loses everything and returns it: writes under load, backups, the loss of Postgres and Redis with their data, and the return from the
//! received write-ahead log, to just before a bad DELETE, and from a logical backup. Compares the rows of every table, and what Prometheus
//! answers. Damaged backups, a full disk and other bad input must be refused and change nothing.
//!
//! `dr_drill/order` is the course of the drill, `dr_drill/writes` the load, `dr_drill/rows` compares tables, `dr_drill/samples` Prometheus,
//! `dr_drill/refusals` has the bad input, and `dr_drill/document` writes the figures.

mod document;
mod order;
mod refusals;
mod rows;
mod samples;
mod writes;

use devstack::stack::PROGRAMS;
use devstack::tools::Tool;

pub use order::{Extent, add};

/// The tools that the proof needs.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    PROGRAMS.to_vec()
}
