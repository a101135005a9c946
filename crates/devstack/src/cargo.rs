//! Cargo: builds the application with everything that it embeds, and runs tests and counts them. `paths` knows the target folder, and
//! `web` builds the browser bundle.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::process::{capture, run, task};
use crate::report::Outcome;
use crate::{paths, web};

/// Builds the application, its browser bundle, the platform simulator and the store of traces, with the committed query data, so that the
/// build needs no database.
pub fn build(release: bool, install: bool) -> Result<()> {
    web::bundle(install)?;
    let mut cargo = command();
    cargo.args(["build", "--package", "vitrine", "--package", "provider-sim", "--package", "trace-store", "--bins"]);
    if release {
        cargo.arg("--release");
    }
    ensure!(run(&mut cargo)?, "the build failed");
    Ok(())
}

/// The path of the built application; the other programs are beside it.
#[must_use]
pub fn binary(release: bool) -> PathBuf {
    let profile = if release { "release" } else { "debug" };
    paths::target().join(profile).join("vitrine")
}

/// Cargo without a database at compile time; it uses the committed query data.
#[must_use]
pub fn command() -> Command {
    in_checkout(task("cargo"))
}

/// As [`command`], for checks that make no program. They can run beside tests: they have the lowest priority, and a target folder of their own,
/// because Cargo lets only one command at a time use a folder.
#[must_use]
pub fn checking() -> Command {
    let mut nice = task("nice");
    nice.args(["-n", "19", "cargo"]).env("CARGO_TARGET_DIR", paths::target().join("check"));
    in_checkout(nice)
}

fn in_checkout(mut cargo: Command) -> Command {
    cargo.env("SQLX_OFFLINE", "true").current_dir(paths::root());
    // Cargo sets these variables for this program. If the Cargo called here inherited them, build scripts would see other values
    // than when a developer calls Cargo, and would run again whenever the caller changes.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs `cargo test` and counts its tests, because cargo also succeeds when a filter matches none.
pub fn test(command: &mut Command) -> Result<Outcome> {
    let captured = capture(command)?;
    eprintln!("{}", captured.text.trim_end());
    let outcome = counted(&captured.text);
    Ok(if captured.success || outcome.failed > 0 { outcome } else { Outcome::failed("the tests did not run") })
}

/// Adds up the summary lines of test programs, such as `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
fn counted(text: &str) -> Outcome {
    let count = |line: &str, word: &str| -> u64 {
        let part = line.split("; ").find_map(|part| part.strip_suffix(word));
        part.and_then(|part| part.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
    };
    text.lines().filter(|line| line.starts_with("test result: ")).fold(Outcome::default(), |sum, line| Outcome {
        passed: sum.passed + count(line, " passed"),
        failed: sum.failed + count(line, " failed"),
        ..sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_over_all_programs() {
        let text = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out\n\
                    test result: FAILED. 1 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(counted(text), Outcome { passed: 3, failed: 4, ..Outcome::default() });
        let none = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 87 filtered out\n";
        assert_eq!(counted(none), Outcome::default(), "a filter that matches nothing");
    }
}
