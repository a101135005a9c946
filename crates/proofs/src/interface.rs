//! Tests the service against its OpenAPI description, through the edge. Schemathesis generates valid and invalid requests, alone
//! and in chains, from the description, and checks every response against the description. `tests/interface/schemathesis.toml` lists
//! the expected responses that a description cannot express.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use devstack::cargo;
use devstack::http::send;
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Ports};
use devstack::process::{run as run_task, task};
use devstack::report::{Outcome, Report};
use devstack::stack::{Plan, Stack};
use devstack::tools::{CADDY, INITDB, REDIS, SCHEMATHESIS, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

/// The tools that the proof needs.
pub const PROGRAMS: [&Tool; 4] = [&INITDB, &REDIS, &CADDY, &SCHEMATHESIS];
/// [`Options::examples`] of the short form.
pub const FEW: u32 = 10;
/// The required phases: single requests at the limits of the description, random requests, and chains.
const PHASES: [&str; 3] = ["coverage", "fuzzing", "stateful"];
/// Raises the rate limits that random requests exhaust, such as wrong passwords, and disables random failures of environments: neither is
/// under test.
const SETTINGS: [(&str, &str); 5] = [
    ("BEACONS_PER_MINUTE", "100000"),
    ("LOGIN_ATTEMPTS_PER_ACCOUNT", "100000"),
    ("LOGIN_ATTEMPTS_BY_STRANGERS", "100000"),
    ("LOGIN_ATTEMPTS_PER_ADDRESS", "100000"),
    ("SIM_FAILURE_RATE", "0"),
];

/// The parameters of a run.
pub struct Options {
    /// Maximum number of random requests per operation, and of chains of requests.
    pub examples: u32,
    /// Seed: the same seed generates the same requests.
    pub seed: u32,
    /// Whether the binaries are optimised.
    pub release: bool,
}

impl Options {
    /// The short form that `ci` runs.
    pub const SHORT: Self = Self { examples: FEW, seed: 1, release: false };
}

/// Adds the proof to a report.
pub fn add(report: &mut Report, options: &Options) -> Result<()> {
    let folder = paths::temporary("interface")?;
    let started = report.obtain("three replicas behind the edge", || Ok((start(folder.path(), options.release)?, Outcome::passed())))?;
    let Some(stack) = started else { return Ok(()) };
    report.step("every response matches the description", || compare(&stack, folder.path(), options))
}

fn start(folder: &Path, release: bool) -> Result<Stack> {
    let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Stack::start_service(Plan {
        folder: folder.join("stack"),
        ports: Ports::any(MAX_REPLICAS)?,
        replicas: MAX_REPLICAS,
        binary: cargo::binary(release),
        engine: None,
        settings,
    })
}

/// Registers an account; returns its login instructions in the format of Web Fuzzing Commons.
fn account(edge: &str, name: &str) -> Result<Value> {
    let (email, password) = (format!("{name}@example.org"), paths::random_password()?);
    let body = json!({ "email": email, "password": password, "display_name": name });
    let registered = send("POST", &format!("{edge}/api/auth/register"), &[], Some(&body))?;
    ensure!(registered.status == 201, "register: {}", registered.body);
    Ok(json!({
        "name": name,
        "loginEndpointAuth": {
            "endpoint": "/api/auth/login",
            "verb": "POST",
            "contentType": "application/json",
            "payloadRaw": json!({ "email": email, "password": password }).to_string(),
            "token": {
                "extractFrom": "body",
                "extractSelector": "/token",
                "sendIn": "header",
                "sendName": "Authorization",
                "sendTemplate": "Bearer {token}",
            },
        },
    }))
}

/// Runs Schemathesis with accounts of its own.
fn compare(stack: &Stack, folder: &Path, options: &Options) -> Result<Outcome> {
    let edge = stack.edge()?;
    let accounts = ["first", "second"].map(|name| account(&edge, name));
    let accounts = accounts.into_iter().collect::<Result<Vec<_>>>()?;
    let accounts_file = folder.join("accounts.json");
    paths::write_secret(&accounts_file, &json!({ "schemaVersion": "0.2.0", "auth": accounts }).to_string())?;

    let results = folder.join("results.json");
    let settings = paths::root().join("tests/interface");
    let mut program = task(SCHEMATHESIS.path()?);
    program
        .arg("--config-file")
        .arg(settings.join("schemathesis.toml"))
        .args(["run", &format!("{edge}/api/openapi.json")])
        .args(["--seed", &options.seed.to_string(), "--max-examples", &options.examples.to_string()])
        .args(["--report", "json", "--report-json-path"])
        .arg(&results)
        // Schemathesis stores its example database in the working directory.
        .current_dir(folder)
        .env("SCHEMATHESIS_HOOKS", settings.join("hooks.py"))
        .env("INTERFACE_ACCOUNTS", accounts_file);
    let succeeded = run_task(&mut program)?;
    let text = fs::read_to_string(&results).context("Schemathesis left no results")?;
    Ok(Results::read(&text)?.outcome(succeeded))
}

/// Schemathesis' report of a run.
#[derive(Deserialize)]
struct Results {
    operations: Operations,
    test_cases: TestCases,
    errors: Vec<Value>,
    phases: BTreeMap<String, Phase>,
}

#[derive(Deserialize)]
struct Operations {
    total: u64,
    tested: u64,
}

#[derive(Deserialize)]
struct TestCases {
    generated: u64,
    unique_failures: u64,
}

#[derive(Deserialize)]
struct Phase {
    status: String,
}

impl Results {
    fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).context("failed to parse Schemathesis' results")
    }

    /// Each finding, each error of Schemathesis and each untested operation is a failure. A run also fails if it has no operations or no
    /// requests, if it skips a phase, or if Schemathesis does not succeed.
    fn outcome(&self, succeeded: bool) -> Outcome {
        let Self { operations: Operations { total, tested }, test_cases, errors, phases } = self;
        let left_out: Vec<&str> = PHASES.into_iter().filter(|name| phases.get(*name).is_none_or(|phase| phase.status == "skip")).collect();
        let mut failed = test_cases.unique_failures + u64::try_from(errors.len()).unwrap_or(u64::MAX) + (total - tested);
        if !left_out.is_empty() || *total == 0 || test_cases.generated == 0 || !succeeded {
            failed = failed.max(1);
        }
        let note = format!("{} requests, {tested} of {total} operations, {} findings", test_cases.generated, test_cases.unique_failures);
        let note = if left_out.is_empty() { note } else { format!("{note}; left out: {}", left_out.join(", ")) };
        Outcome { passed: if failed == 0 { *tested } else { 0 }, failed, note, ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(tested: u64, failures: u64, stateful: &str) -> Outcome {
        outcome_of(9, tested, failures, stateful)
    }

    fn outcome_of(generated: u64, tested: u64, failures: u64, stateful: &str) -> Outcome {
        let results = json!({
            "operations": { "total": 2, "tested": tested },
            "test_cases": { "generated": generated, "unique_failures": failures },
            "errors": [],
            "phases": { "coverage": { "status": "success" }, "fuzzing": { "status": "success" }, "stateful": { "status": stateful } },
        });
        Results::read(&results.to_string()).unwrap().outcome(failures == 0)
    }

    #[test]
    fn only_a_whole_run_without_findings_passes() {
        assert_eq!((outcome(2, 0, "success").passed, outcome(2, 0, "success").failed), (2, 0));
        assert_eq!(outcome(2, 3, "success").failed, 3, "findings");
        assert_eq!(outcome(1, 0, "success").failed, 1, "an operation left out");
        assert_eq!(outcome(2, 0, "skip").failed, 1, "a phase left out");
        assert_eq!(outcome_of(0, 2, 0, "success").failed, 1, "no request was made");
    }
}
