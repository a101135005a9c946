//! `deploy/ecs`: Terraform formats the files and evaluates the templates of the containers, checkov reads all files and compares them with
//! its policies, and the monitoring's own programs check the configurations that its images start with. Terraform's provider for AWS comes
//! from a registry of its own, so nothing here plans or applies anything.
//!
//! `ecs/template` evaluates templates, and `ecs/monitoring` starts the images' scripts.

mod monitoring;
mod template;

use anyhow::{Context, Result};
use devstack::paths;
use devstack::process::{capture, task};
use devstack::report::{Outcome, Report};
use devstack::tools::{AMTOOL, CHECKOV, PROMTOOL, TERRAFORM, Tool};
use serde_json::Value;

/// The tools of the checks.
pub const PROGRAMS: [&Tool; 4] = [&TERRAFORM, &CHECKOV, &PROMTOOL, &AMTOOL];

const FOLDER: &str = "deploy/ecs";

/// Adds the checks.
pub fn add(report: &mut Report) -> Result<()> {
    report.step("ecs: terraform fmt", || {
        let arguments = ["fmt", "-check", "-diff", "-recursive", FOLDER];
        let checked = capture(task(TERRAFORM.path()?).args(arguments).current_dir(paths::root()))?;
        if !checked.success {
            eprint!("{}", checked.text);
        }
        Ok(checked.success.into())
    })?;
    let deployment = paths::root().join(FOLDER);
    report.step("ecs: the definitions of containers are templates of valid JSON", || template::all(&deployment))?;
    report.step("ecs: the configuration of Prometheus", || monitoring::prometheus(&deployment))?;
    report.step("ecs: the configuration of Alertmanager", || monitoring::alertmanager(&deployment))?;
    report.step("ecs: policies", policies)
}

/// Scans all files with the policies of checkov. `checkov.yml` lists the exceptions for all resources, a comment that for one resource;
/// each has its reason.
fn policies() -> Result<Outcome> {
    let mut checkov = task(CHECKOV.path()?);
    checkov.args(["--directory", ".", "--config-file", "checkov.yml", "--quiet", "--compact", "--output", "json"]);
    let scanned = capture(checkov.current_dir(paths::root().join(FOLDER)))?;
    let results = scanned.text.find(['[', '{']).map(|start| &scanned.text[start..]).unwrap_or_default();
    let results = serde_json::from_str(results).with_context(|| format!("checkov printed no results:\n{}", scanned.text))?;
    Ok(outcome(&results))
}

/// The result of a scan, which has one element for each kind of file. Files that checkov cannot read count as failed.
fn outcome(results: &Value) -> Outcome {
    let kinds = results.as_array().map_or_else(|| std::slice::from_ref(results), Vec::as_slice);
    let sum = |count: &str| kinds.iter().filter_map(|kind| kind["summary"][count].as_u64()).sum::<u64>();
    for failed in kinds.iter().flat_map(|kind| kind["results"]["failed_checks"].as_array().into_iter().flatten()) {
        eprintln!("{} {} {}: {}", failed["check_id"], failed["file_path"], failed["resource"], failed["check_name"]);
    }
    let note = format!("{} exceptions of single resources", sum("skipped"));
    Outcome { passed: sum("passed"), failed: sum("failed") + sum("parsing_errors"), note, ..Outcome::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(passed: u64, failed: u64, skipped: u64, parsing_errors: u64) -> Value {
        json!({ "summary": { "passed": passed, "failed": failed, "skipped": skipped, "parsing_errors": parsing_errors } })
    }

    #[test]
    fn a_scan_counts_every_kind_of_file_and_files_that_cannot_be_read() {
        let found = outcome(&json!([kind(10, 1, 2, 0), kind(5, 0, 0, 1)]));
        assert_eq!((found.passed, found.failed, found.note.as_str()), (15, 2, "2 exceptions of single resources"));
        assert_eq!(outcome(&kind(3, 0, 0, 0)).passed, 3);
    }
}
