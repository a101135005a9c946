//! `cargo xtask test`: every test, and every check of the files that other programs read.
//! Formatting, lints and the proofs that need a running stack are `ci`'s.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::engine::{Engine, HOST_VARIABLE};
use crate::process::{capture, run as run_task, task};
use crate::report::{Outcome, Report};
use crate::tools::{AMTOOL, CADDY, INITDB, NEXTEST, OIDC_PROVIDER, PROMTOOL, REDIS, Tool, require};
use crate::{checks, paths, stores};

/// What the Rust tests need.
const FOR_RUST: [&Tool; 3] = [&INITDB, &REDIS, &NEXTEST];
/// What the checks need.
const FOR_CHECKS: [&Tool; 3] = [&PROMTOOL, &AMTOOL, &CADDY];
/// What they can do without; installed on demand only.
const OPTIONAL: [&Tool; 1] = [&OIDC_PROVIDER];
/// Tells tests where the library of [`OIDC_PROVIDER`] lies: a folder `node_modules`.
const PROVIDER_VARIABLE: &str = "OIDC_PROVIDER";

/// What all of it needs, and with `install` what it can do without.
pub fn programs(install: bool) -> Vec<&'static Tool> {
    rust_programs(install).into_iter().chain(FOR_CHECKS).collect()
}

fn rust_programs(install: bool) -> Vec<&'static Tool> {
    FOR_RUST.into_iter().chain(OPTIONAL.into_iter().filter(|_| install)).collect()
}

/// What some tests need beside the stores, each with the variable that tells them of it; without it they do not run.
type Extras = Vec<(&'static str, OsString)>;

/// Run every test with a private Postgres and Redis.
#[derive(clap::Args)]
pub struct Args {
    /// Install what is missing.
    #[arg(long)]
    install: bool,
    /// Arguments for `cargo nextest run` in place of `--workspace`; given any, nothing else runs.
    #[arg(last = true)]
    nextest: Vec<String>,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<bool> {
    let mut report = Report::new("test");
    if args.nextest.is_empty() {
        require(&programs(args.install), args.install)?;
        all(&mut report)?;
    } else {
        require(&rust_programs(args.install), args.install)?;
        let extras = extras(&mut report)?;
        report.step("rust tests", || rust(&args.nextest, &extras))?;
    }
    report.finish()
}

/// Adds every test to a report.
pub fn all(report: &mut Report) -> Result<()> {
    let extras = extras(report)?;
    report.step("rust tests", || rust(&["--workspace".to_owned()], &extras))?;
    report.step("doc tests", doc)?;
    checks::all(report)
}

fn extras(report: &mut Report) -> Result<Extras> {
    let engine = engine(report)?.map(|engine| (HOST_VARIABLE, engine.host.into()));
    let provider = oidc_provider(report)?.map(|folder| (PROVIDER_VARIABLE, folder.into()));
    Ok(engine.into_iter().chain(provider).collect())
}

/// The engine that the docker driver is tested with. A machine may have none: the other tests do without.
fn engine(report: &mut Report) -> Result<Option<Engine>> {
    let mut found = None;
    report.step("engine", || {
        Ok(match Engine::for_tests() {
            Ok(engine) => {
                let note = format!("Docker Engine {} at {}", engine.version, engine.host);
                found = Some(engine);
                Outcome::passed().with_note(note)
            }
            Err(error) => {
                let note = format!("SKIPPED: {error}: the docker driver is NOT tested");
                eprintln!("{error:#}\n{note}");
                Outcome::default().with_note(note)
            }
        })
    })?;
    Ok(found)
}

/// Where the provider lies that signing in is tested with. A machine may do without Node.js.
fn oidc_provider(report: &mut Report) -> Result<Option<PathBuf>> {
    let mut found = None;
    report.step("oidc provider", || {
        found = OIDC_PROVIDER.find().and_then(|library| library.parent().map(Path::to_path_buf));
        Ok(if let Some(folder) = &found {
            Outcome::passed().with_note(format!("{} in {}", OIDC_PROVIDER.name, folder.display()))
        } else {
            let note = "SKIPPED: no OpenID Connect provider here (--install gets one): signing in is NOT tested with a real one";
            eprintln!("{note}");
            Outcome::default().with_note(note)
        })
    })?;
    Ok(found)
}

fn rust(args: &[String], extras: &Extras) -> Result<Outcome> {
    let folder = paths::temporary("test")?;
    let (postgres, redis) = stores::disposable(folder.path())?;
    let results = paths::target().join("nextest/default/junit.xml");
    // Results of an earlier run must not pass for this one's.
    let _ = fs::remove_file(&results);
    let mut tests = cargo();
    tests
        .args(["nextest", "run"])
        .args(args)
        .env("PATH", path_with_nextest()?)
        .env("DATABASE_URL", &postgres.url)
        .env("REDIS_URL", &redis.url)
        // The tests that need an extra run exactly when its variable is set.
        .env_remove(HOST_VARIABLE)
        .env_remove(PROVIDER_VARIABLE)
        .envs(extras.iter().map(|(name, value)| (name, value)));
    let success = run_task(&mut tests)?;
    let Ok(xml) = fs::read_to_string(&results) else {
        return Ok(Outcome::failed("the tests did not run"));
    };
    let (passed, failed) = count(&xml).context("cannot read the tests' results")?;
    Ok(Outcome {
        passed,
        // A run can fail without a failed test: by a leak, or for lack of tests.
        failed: if success { failed } else { failed.max(1) },
        note: String::new(),
    })
}

/// Cargo finds its subcommands on PATH; ours may lie elsewhere. At the end, so that it brings no other cargo.
fn path_with_nextest() -> Result<OsString> {
    let nextest = NEXTEST.path()?;
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(nextest.parent().map(Path::to_path_buf));
    Ok(env::join_paths(folders)?)
}

fn doc() -> Result<Outcome> {
    let said = capture(cargo().args(["test", "--workspace", "--doc"]))?;
    if !said.success {
        eprintln!("{}", said.text);
        return Ok(Outcome::failed("a documented example is wrong"));
    }
    let passed = said
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("test result: ok. "))
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum();
    Ok(Outcome { passed, ..Outcome::default() })
}

/// Cargo without a database at compile time: the committed query data must do.
pub fn cargo() -> Command {
    let mut cargo = task("cargo");
    cargo.env("SQLX_OFFLINE", "true").current_dir(paths::root());
    cargo
}

/// Passed and failed tests of a `JUnit` file, from the totals in its first element.
fn count(xml: &str) -> Option<(u64, u64)> {
    let head = xml.split_once("<testsuites")?.1.split_once('>')?.0;
    let number = |name: &str| -> Option<u64> {
        let value = head.split_once(&format!(" {name}=\""))?.1;
        value.split_once('"')?.0.parse().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some((number("tests")?.checked_sub(failed)?, failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_from_junit() {
        let xml = "<?xml version=\"1.0\"?>\n<testsuites name=\"nextest-run\" tests=\"12\" \
                   failures=\"2\" errors=\"1\" time=\"0.5\">\n<testsuite tests=\"99\"/>";
        assert_eq!(count(xml), Some((9, 3)));
        assert_eq!(count("<html>"), None);
    }
}
