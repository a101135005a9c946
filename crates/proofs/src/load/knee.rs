//! The knee: the highest rate at which every gate of `peak` held. The script of `peak` prints it; `overload` sends ten times that rate.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use devstack::paths;
use devstack::report::Outcome;

/// The rate of `overload`, as a multiple of the knee.
const OVERLOAD: u32 = 10;

/// The file with the steps and the knee of the last run of `peak` that had a knee.
fn report() -> PathBuf {
    paths::proofs().join("load-peak.txt")
}

/// Prints the steps and the knee of a run of `peak`, from k6's log, and saves them. Without a knee, fails and saves nothing.
pub fn keep(log: &Path) -> Result<Outcome> {
    let log = fs::read_to_string(log).with_context(|| format!("failed to read {}", log.display()))?;
    let steps: Vec<&str> = log.lines().filter(|line| line.starts_with("knee: ") || line.contains("/s: ")).collect();
    let text = steps.join("\n");
    println!("{text}");
    let found = line(&text).context("k6 printed no knee")?;
    let knee = knee(&text).with_context(|| format!("no knee: {}", found.trim_start_matches("none: ")))?;
    fs::write(report(), &text).with_context(|| format!("failed to write {}", report().display()))?;
    Ok(Outcome::passed().with_note(format!("knee: {knee} requests per second")))
}

/// Ten times the last knee that was saved, in requests per second.
pub fn overload() -> Result<u32> {
    let text = fs::read_to_string(report()).ok();
    let knee = text.as_deref().and_then(knee).context("overload needs --rate, or a knee: run `cargo xtask load --profile peak` first")?;
    Ok(knee * OVERLOAD)
}

fn knee(text: &str) -> Option<u32> {
    line(text)?.split(' ').next()?.parse().ok()
}

/// The knee as the script prints it, or `none: ` and the reason.
fn line(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("knee: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knee_is_read_from_the_report() {
        assert_eq!(knee("  100/s: 4000 requests, every gate held\nknee: 100 requests per second\n"), Some(100));
        assert_eq!(knee("knee: 3300 requests per second or more: no gate broke"), Some(3300));
        assert_eq!(knee("knee: none: a gate broke at the first step"), None);
        assert_eq!(knee(""), None);
    }
}
