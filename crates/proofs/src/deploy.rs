//! The files of `deploy/` and `monitoring/ha/`, for more than one machine, and the workflows that build and publish images. Each part generates its files from
//! those that Compose uses, if it has any to generate, and checks all of them without a cluster or a cloud. What these files and Compose
//! must have in common belongs to `tests/contract/`.

pub mod ecs;
pub mod kubernetes;
pub mod monitoring;
pub mod workflows;

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::Tool;

/// The tools of all parts.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    kubernetes::PROGRAMS.into_iter().chain(ecs::PROGRAMS).chain(workflows::PROGRAMS).collect()
}

/// Adds the steps that write the generated files.
pub fn write(report: &mut Report) -> Result<()> {
    kubernetes::write(report)?;
    monitoring::write(report)
}

/// Adds the checks of every part.
pub fn add(report: &mut Report) -> Result<()> {
    kubernetes::add(report)?;
    monitoring::add(report)?;
    ecs::add(report)?;
    workflows::add(report)
}
