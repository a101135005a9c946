//! Proves that the gates of a profile can fail, with runs in which scenarios do nothing. These runs need no service.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use devstack::paths;
use devstack::process::{capture, task};
use devstack::tools::K6;

use super::{Profile, Summary};

/// Checks that a run in which scenarios do nothing fails on the threshold `journeys_done` of each such scenario. Without these thresholds,
/// one idle scenario would go unnoticed, because k6 passes a threshold on a rate that has no samples. The script of the runs,
/// `load/empty.js`, sends no requests. Returns the number of scenarios.
pub fn refuses_idle_scenarios(profile: Profile, folder: &Path) -> Result<usize> {
    let counted = empty_run(profile, folder, "")?;
    let scenarios: Vec<String> = counted.journeys.keys().cloned().collect();
    ensure!(!scenarios.is_empty(), "the thresholds name no scenario");
    let idle = empty_run(profile, folder, &scenarios.join(","))?;
    for scenario in &scenarios {
        let threshold = format!("journeys_done{{scenario:{scenario}}}: count>0");
        ensure!(counted.thresholds.get(&threshold) == Some(&true), "{threshold} fails although a journey was counted");
        ensure!(idle.thresholds.get(&threshold) == Some(&false), "{threshold} passes although {scenario} did nothing");
    }
    Ok(scenarios.len())
}

fn empty_run(profile: Profile, folder: &Path, idle: &str) -> Result<Summary> {
    let written = folder.join("empty.json");
    let mut k6 = task(K6.path()?);
    k6.args(["run", "--quiet", "--no-color", "--no-usage-report", "--address", "127.0.0.1:0"])
        .args([format!("--env=PROFILE={}", profile.name()), format!("--env=IDLE={idle}")])
        // `overload` has no default rate.
        .arg("--env=RATE=1000")
        .arg(format!("--summary-export={}", written.display()))
        .arg(paths::root().join("load/empty.js"));
    let output = capture(&mut k6)?;
    ensure!(!output.success, "k6 passed a run without a request");
    let text = fs::read_to_string(&written).with_context(|| format!("k6 left no summary: {}", output.text))?;
    fs::remove_file(&written)?;
    Summary::read(&serde_json::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn the_gate_of_every_profile_refuses_idle_scenarios() {
        // `cargo xtask load --gate` requires k6 and checks this, too; a machine for unit tests may not have k6.
        if K6.find().is_some() {
            let folder = tempfile::tempdir().unwrap();
            for profile in Profile::value_variants() {
                assert!(refuses_idle_scenarios(*profile, folder.path()).unwrap() > 0, "{}", profile.name());
            }
        }
    }
}
