//! Checks Prometheus' rules: every rule file has a test file of the same name, promtool accepts both files, and every rule is tested.
//! `mutants` checks that the tests detect changed rules.

mod coverage;
mod files;

use std::path::Path;

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::PROMTOOL;

use crate::checks::{check, check_each, tool};

pub use coverage::mentions;
pub use files::{AlertTest, Expected, Group, Rule, RuleFile, Series, SeriesTest, Test, TestFile, names, read};

/// Adds the checks of Prometheus' folder to a report.
pub fn all(report: &mut Report, prometheus: &Path) -> Result<()> {
    report.step("promtool check config", || check(tool(&PROMTOOL)?.args(["check", "config", "prometheus.yml"]).current_dir(prometheus)))?;
    report.step("promtool check rules", || check_each(prometheus, "rules", &["check", "rules", "--lint=all", "--lint-fatal"]))?;
    report.step("promtool test rules", || check_each(prometheus, "tests", &["test", "rules"]))?;
    report.step("every rule is tested", || coverage::check(prometheus))
}
