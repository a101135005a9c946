//! Runs the Rust tests, the doc tests and the browser tests, and checks the configuration of Prometheus, Alertmanager and Caddy.
//! Of these, only the browser tests start a whole stack. Formatting, lints and other proofs on a whole stack belong to `ci`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result};
use devstack::engine::{Engine, HOST_VARIABLE};
use devstack::process::run as run_task;
use devstack::report::{Outcome, Report};
use devstack::tools::{AMTOOL, CADDY, INITDB, NEXTEST, OIDC_PROVIDER, PGBOUNCER, PROMTOOL, REDIS, SOCKET_IO_CLIENT, Tool};
use devstack::{cargo, paths, stores, web};

use crate::{browser, files};

/// Tools that the Rust tests need.
const FOR_RUST: [&Tool; 3] = [&INITDB, &REDIS, &NEXTEST];
/// Tools that the checks need.
const FOR_CHECKS: [&Tool; 3] = [&PROMTOOL, &AMTOOL, &CADDY];
/// Optional tools of the tests; installed on demand only.
const OPTIONAL: [&Tool; 4] = [&OIDC_PROVIDER, &SOCKET_IO_CLIENT, &CADDY, &PGBOUNCER];

/// An optional dependency of tests, given by an environment variable. Without the variable, the tests that need it do not run.
struct Extra {
    /// The name of the dependency's step in the report.
    step: &'static str,
    tool: &'static Tool,
    /// The variable with the dependency's location: a program's path, or the folder `node_modules` of a library.
    variable: &'static str,
    /// Printed if the dependency is missing.
    skipped: &'static str,
}

const EXTRAS: [Extra; 4] = [
    Extra {
        step: "oidc provider",
        tool: &OIDC_PROVIDER,
        variable: "OIDC_PROVIDER",
        skipped: "SKIPPED: no OpenID Connect provider here (--install gets one): logins are NOT tested with a real one",
    },
    Extra {
        step: "socket.io client",
        tool: &SOCKET_IO_CLIENT,
        variable: "SOCKET_IO_CLIENT",
        skipped: "SKIPPED: no Socket.IO client here (--install gets one): sockets are NOT tested with the official client",
    },
    Extra {
        step: "edge",
        tool: &CADDY,
        variable: "CADDY",
        skipped: "SKIPPED: Caddy is missing (`cargo xtask test --install` gets it): nothing is tested through the edge",
    },
    Extra {
        step: "pooler",
        tool: &PGBOUNCER,
        variable: "PGBOUNCER",
        skipped: "SKIPPED: PgBouncer is missing (`cargo xtask test --install` gets it): nothing is tested through a pooler",
    },
];

/// The required tools and, with `install`, the optional ones.
#[must_use]
pub fn programs(install: bool) -> Vec<&'static Tool> {
    let for_browser = if install { browser::programs() } else { Vec::new() };
    rust_programs(install).into_iter().chain(FOR_CHECKS).chain(for_browser).collect()
}

/// The tools that the Rust tests require and, with `install`, the optional ones.
#[must_use]
pub fn rust_programs(install: bool) -> Vec<&'static Tool> {
    FOR_RUST.into_iter().chain(OPTIONAL.into_iter().filter(|_| install)).collect()
}

/// Optional dependencies that were found, as environment variables for the tests.
type Given = Vec<(&'static str, OsString)>;

/// Builds the browser bundle, without which the application does not compile.
pub fn bundle(report: &mut Report, install: bool) -> Result<()> {
    report.step("web bundle", || {
        web::bundle(install)?;
        Ok(Outcome::passed())
    })
}

/// Adds every test, and the checks of files, to a report.
pub fn all(report: &mut Report) -> Result<()> {
    let given = given(report)?;
    report.step("rust tests", || rust(&["--workspace".to_owned()], &given))?;
    report.step("doc tests", doc)?;
    browser::add(report, "")?;
    files::all(report)
}

/// Adds the Rust tests that these arguments of `cargo nextest run` select.
pub fn selected(report: &mut Report, nextest: &[String]) -> Result<()> {
    let given = given(report)?;
    report.step("rust tests", || rust(nextest, &given))
}

fn given(report: &mut Report) -> Result<Given> {
    let mut given: Given = engine(report)?.map(|engine| (HOST_VARIABLE, engine.host.into())).into_iter().collect();
    for extra in &EXTRAS {
        given.extend(find(report, extra)?.map(|path| (extra.variable, path.into())));
    }
    Ok(given)
}

/// The engine for the tests of the docker driver. On a machine without one, only the other tests run.
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
                Outcome::skipped(note)
            }
        })
    })?;
    Ok(found)
}

/// The location of an optional dependency, if it is installed. A library counts as installed even if Node.js is missing.
fn find(report: &mut Report, extra: &Extra) -> Result<Option<PathBuf>> {
    let mut found = None;
    report.step(extra.step, || {
        found = extra.tool.location();
        Ok(if let Some(path) = &found {
            Outcome::passed().with_note(format!("{} at {}", extra.tool.name, path.display()))
        } else {
            eprintln!("{}", extra.skipped);
            Outcome::skipped(extra.skipped)
        })
    })?;
    Ok(found)
}

fn rust(args: &[String], given: &Given) -> Result<Outcome> {
    let folder = paths::temporary_in_memory("test")?;
    let (postgres, redis) = stores::disposable(folder.path())?;
    let results = paths::target().join("nextest/default/junit.xml");
    // Results of an earlier run must not be mistaken for those of this run.
    let _ = fs::remove_file(&results);
    let mut tests = cargo::command();
    tests
        .args(["nextest", "run"])
        .args(args)
        .env("PATH", path_with_nextest()?)
        .env("DATABASE_URL", &postgres.url)
        .env("REDIS_URL", &redis.url)
        .env("NEXTEST_TEST_THREADS", threads())
        // Only `given` sets the variables of optional dependencies, never the caller's environment.
        .env_remove(HOST_VARIABLE);
    for extra in &EXTRAS {
        tests.env_remove(extra.variable);
    }
    tests.envs(given.iter().map(|(name, value)| (name, value)));
    let success = run_task(&mut tests)?;
    let Ok(xml) = fs::read_to_string(&results) else {
        return Ok(Outcome::failed("the tests did not run"));
    };
    let (passed, failed) = count(&xml).context("failed to read the tests' results")?;
    Ok(Outcome {
        passed,
        // A run can fail without a failed test, for example because no test ran.
        failed: if success { failed } else { failed.max(1) },
        ..Outcome::default()
    })
}

/// The number of tests that run at the same time: one more than there are cores, because most tests wait most of the time.
fn threads() -> String {
    (thread::available_parallelism().map_or(1, usize::from) + 1).to_string()
}

/// Cargo finds its subcommands on PATH, but nextest may be elsewhere. The folder of nextest comes last, so that a cargo in
/// that folder is not used.
fn path_with_nextest() -> Result<OsString> {
    let nextest = NEXTEST.path()?;
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(nextest.parent().map(Path::to_path_buf));
    Ok(env::join_paths(folders)?)
}

fn doc() -> Result<Outcome> {
    let outcome = cargo::test(cargo::command().args(["test", "--workspace", "--doc"]))?;
    Ok(if outcome == Outcome::default() { Outcome::skipped("no documentation example runs") } else { outcome })
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
