//! `.github/workflows`: actionlint checks their syntax, expressions and names, and zizmor looks for security problems such as actions that
//! are not pinned, or too many permissions. Nothing here runs a workflow.

use anyhow::{Result, ensure};
use devstack::paths;
use devstack::process::{capture, task};
use devstack::report::{Outcome, Report};
use devstack::tools::{ACTIONLINT, NODE, Tool, ZIZMOR};

/// The tools of the checks.
pub const PROGRAMS: [&Tool; 3] = [&NODE, &ACTIONLINT, &ZIZMOR];

const FILES: &str = ".github/workflows/*.yml";

/// Adds the checks.
pub fn add(report: &mut Report) -> Result<()> {
    report.step("workflows: actionlint", || {
        let checked = capture(task(ACTIONLINT.path()?).arg(FILES).current_dir(paths::root()))?;
        eprint!("{}", checked.text);
        ensure!(!checked.text.contains("Checking 0 "), "{FILES} matches no file");
        Ok(checked.success.into())
    })?;
    report.step("workflows: zizmor", || {
        // Some of its rules ask GitHub; without a network they would fail.
        let arguments = ["--offline", "--no-progress", "--quiet", "--format", "plain", ".github/workflows"];
        let checked = capture(task(ZIZMOR.path()?).args(arguments).current_dir(paths::root()))?;
        if checked.success {
            return Ok(Outcome::passed());
        }
        eprint!("{}", checked.text);
        Ok(Outcome::failed(checked.text.lines().next().unwrap_or_default()))
    })
}
