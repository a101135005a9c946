//! Proves that the commands, queries and snippets of README.md, CONTRIBUTING.md and docs/ work as written. The proof runs their programs
//! and requests, and the one-line requests of the runbooks, against a whole stack. It runs queries in Prometheus and Postgres, and compares
//! the answers of Prometheus with those that the documents state. It checks verbs of xtask, commands of Compose, settings, quoted source
//! and data without running them. Everything else, except drawings, is listed with a reason.
//!
//! `doctest/documents` reads the snippets, and `doctest/fate` decides which are run, checked or listed. `doctest/shell` runs commands,
//! `doctest/queries` runs `PromQL`, `doctest/answers` compares its answers, and `doctest/checks` checks the others.

mod answers;
mod checks;
mod documents;
mod fate;
mod queries;
mod shell;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Command;
use devstack::cargo;
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::process::{Process, capture_ok, task};
use devstack::report::{Outcome, Report};
use devstack::stack::{PROGRAMS, Plan, Stack, fixed_ports};
use devstack::stores::postgres_programs;
use devstack::tools::{CURL, JQ, K6, PROMTOOL, SOCKET_IO_CLIENT, Tool};

use documents::{Snippet, requests_of_runbooks, snippets};
use fate::Fate;
use shell::{Language, Shell};

/// The speed of the monitoring; the proof would work at any speed.
const SPEED: u32 = 3;

/// The tools that the proof needs. It also runs programs in Python, if the machine has it.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    PROGRAMS.into_iter().chain([&CURL, &JQ, &K6, &PROMTOOL, &SOCKET_IO_CLIENT]).collect()
}

/// Adds the proof to a report, on a stack of its own. The stack uses the ports that the documents name, if they are free.
pub fn add(report: &mut Report, cli: &Command) -> Result<()> {
    check(report, cli)?;
    let folder = paths::temporary("doctest")?;
    let started = report.obtain("a whole stack", || {
        let fixed = fixed_ports(MAX_REPLICAS)?;
        let (ports, note) = match fixed.ensure_free() {
            Ok(()) => (fixed, "on the ports of the documents"),
            Err(_) => (Ports::any(MAX_REPLICAS)?, "on other ports, because those of the documents are in use"),
        };
        let folder = folder.path().to_owned();
        let plan = Plan { folder, ports, replicas: MAX_REPLICAS, binary: cargo::binary(false), engine: None, settings: Vec::new() };
        Ok((Stack::start_at(plan, SPEED)?, Outcome::passed().with_note(note)))
    })?;
    let Some(stack) = started else { return Ok(()) };
    report.step("commands, programs and queries of the documents", || run(stack.ports(), folder.path()))
}

/// Adds the checks that need no stack; `cli` is the command line of xtask.
pub fn check(report: &mut Report, cli: &Command) -> Result<()> {
    let snippets = snippets()?;
    report.step("every snippet is run, checked or listed", || {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for snippet in &snippets {
            for part in fate::parts(snippet) {
                let fate = fate::of(snippet, &part).with_context(|| format!("{part}: nothing runs, checks or lists it"))?;
                *counts.entry(fate.name()).or_default() += 1;
            }
        }
        let note: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        Ok(Outcome::passed().with_note(note.join(", ")))
    })?;
    report.step("shell commands parse", || checks::shell(&snippets))?;
    report.step("verbs and options of xtask exist", || Ok(of(&snippets, Fate::Xtask, |_, part| checks::xtask(part, cli))))?;
    report.step("services of Compose exist", || Ok(of(&snippets, Fate::Compose, |_, part| checks::compose(part))))?;
    report.step("settings exist", || Ok(of(&snippets, Fate::Settings, |_, part| checks::settings(part))))?;
    report.step("answers of queries are stated", || Ok(of(&snippets, Fate::Query, |snippet, _| answers::stated(snippet).map(drop))))?;
    report.step("data parses", || Ok(of(&snippets, Fate::Data, |snippet, _| checks::data(snippet))))?;
    report.step("quoted source is current", || Ok(of(&snippets, Fate::Quote, |snippet, _| checks::quote(snippet))))
}

/// Checks every part that has this fate; the outcome counts the parts.
fn of(snippets: &[Snippet], wanted: Fate, check: impl Fn(&Snippet, &str) -> Result<()>) -> Outcome {
    let mut outcome = Outcome::default();
    for snippet in snippets {
        for part in fate::parts(snippet).into_iter().filter(|part| fate::of(snippet, part) == Some(wanted)) {
            match check(snippet, &part) {
                Ok(()) => outcome.passed += 1,
                Err(error) => {
                    eprintln!("{}: {error:#}", snippet.name());
                    outcome.failed += 1;
                    outcome.note = format!("{}: {error}", snippet.name()).replace('\n', " ");
                }
            }
        }
    }
    outcome
}

/// Runs commands, programs and queries against a running stack whose data is in `folder`.
pub fn run(ports: &Ports, folder: &Path) -> Result<Outcome> {
    let own = paths::temporary("snippets")?;
    let mut shell = Shell::new(own.path(), ports)?;
    let mut outcome = Outcome::default();
    let mut running: Option<(Process, &str)> = None;
    let mut asked = Vec::new();
    let mut missing = BTreeSet::new();
    for snippet in snippets()?.into_iter().chain(requests_of_runbooks()?) {
        for part in fate::parts(&snippet) {
            let done = match fate::of(&snippet, &part) {
                Some(Fate::Block(run)) => {
                    let language = Language::of(&snippet.form);
                    if let Some(lacking) = shell.lacks(&part, language) {
                        missing.insert(lacking);
                        continue;
                    }
                    shell.block(&part, language, run).and_then(|begun| {
                        if let Some((process, printed)) = running.take() {
                            shell.wait_for(process, printed).context("the program that keeps running")?;
                        }
                        running = begun;
                        Ok(())
                    })
                }
                Some(Fate::Request) => shell.request(&part),
                Some(Fate::Sql) => sql(ports, folder, &part),
                Some(Fate::Query) => {
                    asked.push(Snippet { text: part, ..snippet.clone() });
                    continue;
                }
                _ => continue,
            };
            done.with_context(|| snippet.name())?;
            outcome.passed += 1;
        }
    }
    ensure!(running.is_none(), "no block follows the program that keeps running");
    outcome.passed += queries::run(ports, own.path(), &asked)?;
    if !missing.is_empty() {
        let names: Vec<&str> = missing.into_iter().collect();
        return Ok(outcome.with_note(format!("SKIPPED: no {} here: programs of documents that need it are NOT run", names.join(", no "))));
    }
    Ok(outcome)
}

fn sql(ports: &Ports, folder: &Path, sql: &str) -> Result<()> {
    let password = fs::read_to_string(folder.join("secrets/password")).context("the stack has no password")?;
    let mut psql = task(postgres_programs()?.join("psql"));
    psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "vitrine", "-d", "vitrine", "-c", sql]);
    capture_ok(psql.env("PGPORT", ports.of(Port::Postgres)?.to_string()).env("PGPASSWORD", password)).map(drop)
}
