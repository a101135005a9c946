//! Runs external programs such as promtool and Caddy, which check files, and copies the configuration that they check. The callers choose
//! the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use devstack::configuration;
use devstack::ports::{MAX_REPLICAS, Ports};
use devstack::process::{capture, task};
use devstack::report::{Outcome, Report};
use devstack::tools::{PROMTOOL, Tool};

/// Adds the step that copies the monitoring's configuration into `folder`, with the paths and addresses of this machine.
pub fn copy_configuration(report: &mut Report, folder: &Path) -> Result<()> {
    report.step("configuration copies", || {
        configuration::write(folder, &Ports::fixed(MAX_REPLICAS), MAX_REPLICAS, true)?;
        Ok(Outcome::passed())
    })
}

/// The command of an installed tool.
pub fn tool(tool: &Tool) -> Result<Command> {
    Ok(task(tool.path()?))
}

/// Runs one check. If the check fails, prints the program's output.
pub fn check(command: &mut Command) -> Result<Outcome> {
    let output = capture(command)?;
    if output.success {
        return Ok(Outcome::passed());
    }
    eprintln!("{}", output.text);
    let is_reason = |line: &&str| ["FAILED", "rror", "err="].iter().any(|word| line.contains(word));
    let mut lines = output.text.lines().map(str::trim).filter(|line| !line.is_empty());
    let reason = lines.clone().find(is_reason).or_else(|| lines.next_back());
    Ok(Outcome::failed(reason.unwrap_or_default()))
}

/// Runs promtool on each YAML file of a folder. A folder without such files is an error.
pub(crate) fn check_each(home: &Path, folder: &str, args: &[&str]) -> Result<Outcome> {
    let folder = home.join(folder);
    let files = yaml_files(&folder)?;
    ensure!(!files.is_empty(), "{} contains no YAML files", folder.display());
    let mut sum = Outcome::default();
    for file in files {
        // Paths in the file are relative to its folder.
        let outcome = check(tool(&PROMTOOL)?.args(args).arg(&file).current_dir(&folder))?;
        sum.passed += outcome.passed;
        sum.failed += outcome.failed;
        if outcome.failed > 0 {
            let name = file.file_name().unwrap_or_default().display().to_string();
            sum.note = format!("{name}: {}", outcome.note);
        }
    }
    Ok(sum)
}

fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("failed to read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|kind| kind == "yml" || kind == "yaml"));
    files.sort();
    Ok(files)
}
