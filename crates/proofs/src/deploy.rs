//! The files of `deploy/`: Vitrine on more than one machine. Each part has its folder there, generates files from those that Compose uses,
//! and checks all of its files without a cluster or a cloud. What these files and Compose must have in common belongs to
//! `tests/contract/`.

pub mod kubernetes;

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::Tool;

/// The tools of all parts.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    kubernetes::PROGRAMS.to_vec()
}

/// Adds the steps that write the generated files.
pub fn write(report: &mut Report) -> Result<()> {
    kubernetes::write(report)
}

/// Adds the checks of every part.
pub fn add(report: &mut Report) -> Result<()> {
    kubernetes::add(report)
}
