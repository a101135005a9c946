//! Runs the examples of `load/examples/` in a short form, to prove that they work.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use devstack::paths;
use devstack::process::{capture, task};
use devstack::report::Outcome;
use devstack::tools::K6;

/// Duration of each run. It suffices for a few iterations of each example.
const SHORT: &str = "1s";
/// The example that compares two runs. It is therefore run twice.
const TWO_RUNS: &str = "8-two-runs.js";

/// Runs all examples against an edge.
pub fn all(edge: &str) -> Result<Outcome> {
    let folder = paths::temporary("examples")?;
    let before = folder.path().join("before.json");
    let scripts = scripts()?;
    for script in &scripts {
        run(edge, script, &[format!("--summary-export={}", before.display())])?;
        if script.ends_with(TWO_RUNS) {
            // Proves only that the comparison is made: such a short run says nothing about speed.
            run(edge, script, &[format!("--env=BEFORE={}", before.display()), "--env=TOLERANCE=1000".to_owned()])?;
        }
    }
    Ok(Outcome { passed: u64::try_from(scripts.len())?, ..Outcome::default() })
}

fn scripts() -> Result<Vec<PathBuf>> {
    let folder = paths::root().join("load/examples");
    let files = fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))?;
    let mut scripts: Vec<PathBuf> = files.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
    scripts.retain(|file| file.extension().is_some_and(|ending| ending == "js"));
    scripts.sort();
    Ok(scripts)
}

fn run(edge: &str, script: &Path, options: &[String]) -> Result<()> {
    let mut k6 = task(K6.path()?);
    k6.args(["run", "--quiet", "--no-color", "--no-usage-report", "--address", "127.0.0.1:0"])
        .args([format!("--env=EDGE={edge}"), format!("--env=DURATION={SHORT}")])
        .args(options)
        .arg(script);
    let output = capture(&mut k6)?;
    ensure!(output.success, "{} failed:\n{}", script.display(), output.text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_eight_examples_and_one_compares_two_runs() {
        let scripts = scripts().unwrap();
        assert_eq!(scripts.len(), 8);
        assert!(scripts.iter().any(|script| script.ends_with(TWO_RUNS)));
    }

    #[test]
    fn a_script_refuses_the_address_of_a_third_party_before_it_sends_anything() {
        for edge in ["https://example.org", "https://example.org/", "http://example.org:80/path", "example.org"] {
            let refusal = run(edge, &scripts().unwrap()[0], &[]).unwrap_err().to_string();
            assert!(refusal.contains("EDGE must be an address of this machine"), "{edge}: {refusal}");
        }
    }
}
