//! Runs an earlier version of the service beside the current one on one database. First, as in a release, a new replica migrates the schema
//! while old replicas serve requests. Then, as in a rollback, old replicas start on the migrated schema. No request through the edge may
//! fail. At the end, a migration that breaks running replicas must make requests fail; otherwise the proof would miss such migrations.
//!
//! `previous` finds and builds the earlier version. Restarts of one version are the subject of `roll`.

mod previous;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use devstack::cargo;
use devstack::http::{get, send};
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Ports};
use devstack::process::{rest, wait_until};
use devstack::report::{Outcome, Report};
use devstack::stack::{Plan, Stack};
use devstack::tools::{CADDY, INITDB, REDIS, Tool};
use rustix::process::Signal;
use serde_json::json;

use self::previous::{Build, Previous};
use crate::roll::{Load, nothing_lost, under_load};
use crate::users::{create_project, sign_up};

/// The tools that the proof needs.
pub const PROGRAMS: [&Tool; 3] = [&INITDB, &REDIS, &CADDY];
/// Longer than the five attempts that a job may need on a busy machine.
const OPERATION_LIMIT: Duration = Duration::from_mins(1);
/// Number of environments that each step runs. With several, each version very probably runs jobs that the other one accepted.
const ENVIRONMENTS: usize = 6;
/// A migration that breaks running replicas: it renames a column that both versions use.
const BREAKING: &str = "ALTER TABLE projects RENAME COLUMN description TO summary";

#[derive(Clone, Copy)]
enum Version {
    Old,
    New,
}

/// Adds the proof to a report.
pub fn add(report: &mut Report) -> Result<()> {
    let started = report.obtain("the earlier version", || {
        let Some(previous) = Previous::find()? else {
            let note = "SKIPPED: Git has no earlier version here (a shallow clone?), so nothing is proven about earlier versions";
            eprintln!("{note}");
            return Ok((None, Outcome::skipped(note)));
        };
        let build = previous.build()?;
        let note = format!("{}, {}", previous.description(), if build.was_cached { "built before" } else { "built now" });
        Ok((Some(build), Outcome::passed().with_note(note)))
    })?;
    let Some(old) = started.flatten() else { return Ok(()) };
    let folder = paths::temporary("version-skew")?;
    let started = report.obtain("three replicas of the earlier version", || {
        let stack = Stack::start_service(Plan {
            folder: folder.path().to_owned(),
            ports: Ports::any(MAX_REPLICAS)?,
            replicas: MAX_REPLICAS,
            binary: old.binary.clone(),
            engine: None,
            // Unoptimised replicas and the load share one machine, so a request may wait for a connection longer than production allows.
            settings: vec![("DATABASE_ACQUIRE_TIMEOUT".to_owned(), "5s".to_owned())],
        })?;
        let before = migrations(&stack)?;
        Ok(((Skew { stack, old, accounts: 0 }, before), Outcome::passed()))
    })?;
    let Some((mut skew, before)) = started else { return Ok(()) };
    report.step("release: new replicas beside old ones", || {
        let outcome = skew.under_load(&[(1, Version::New)])?;
        let added = migrations(&skew.stack)? - before;
        let note = format!("{added} new migrations; {}", outcome.note);
        Ok(outcome.with_note(note))
    })?;
    report.step("release: no old replica is left", || skew.under_load(&[(2, Version::New), (3, Version::New)]))?;
    report.step("rollback: old replicas start after the migration", || skew.under_load(&[(1, Version::Old), (2, Version::Old)]))?;
    report.step("a migration that renames a column makes requests fail", || skew.counter_proof())
}

/// A stack with replicas of both versions.
struct Skew {
    stack: Stack,
    old: Build,
    /// Number of accounts that the steps have registered.
    accounts: u32,
}

impl Skew {
    /// Registers an account, so that each step counts only its own projects; returns the edge's URL and the account's token.
    fn new_account(&mut self) -> Result<(String, String)> {
        self.accounts += 1;
        let edge = self.stack.edge()?;
        let token = sign_up(&edge, &format!("skew-{}@example.org", self.accounts))?;
        Ok((edge, token))
    }

    /// Under load, replaces replicas with replicas of the given versions and then runs environments. No request may fail.
    fn under_load(&mut self, replaced: &[(u16, Version)]) -> Result<Outcome> {
        let (edge, token) = self.new_account()?;
        let loads = under_load(&edge, &token, || {
            for (number, version) in replaced {
                self.stack.use_binary(match version {
                    Version::Old => self.old.binary.clone(),
                    Version::New => cargo::binary(false),
                });
                let status = self.stack.replace_replica(*number, Signal::TERM)?;
                ensure!(status.success(), "backend-{number} ended with {status}");
            }
            all_are_chosen(&edge)?;
            run_environments(&edge, &token)
        })?;
        let answered = without_failures(&loads)?;
        let created = nothing_lost(&edge, &token, &loads)?;
        Ok(Outcome::passed().with_note(format!("{answered} answered, 0 failed, {created} created, 0 lost; {ENVIRONMENTS} environments")))
    }

    /// Renames a column that both versions use. Fails unless a request fails.
    fn counter_proof(&mut self) -> Result<Outcome> {
        let (edge, token) = self.new_account()?;
        let loads = under_load(&edge, &token, || {
            self.stack.sql(BREAKING)?;
            rest(Duration::from_secs(1))
        })?;
        match without_failures(&loads) {
            Err(error) => Ok(Outcome::passed().with_note(error.to_string())),
            Ok(answered) => bail!("all {answered} requests succeeded without the column"),
        }
    }
}

/// The number of responses, if no request failed.
fn without_failures(loads: &[Load]) -> Result<usize> {
    let failures: Vec<&str> = loads.iter().flat_map(|load| &load.failures).map(String::as_str).collect();
    let answered: usize = loads.iter().map(|load| load.answered).sum();
    ensure!(failures.is_empty(), "{} of {} requests failed; the first: {}", failures.len(), answered + failures.len(), failures[0]);
    Ok(answered)
}

/// Waits until the edge has sent a request to every replica.
fn all_are_chosen(edge: &str) -> Result<()> {
    let mut chosen = BTreeSet::new();
    wait_until("the edge chooses every replica", OPERATION_LIMIT, || {
        let answer = get(&format!("{edge}/version"))?;
        ensure!(answer.status == 200, "version: {}", answer.status);
        chosen.insert(answer.json()?["replica"].as_str().unwrap_or_default().to_owned());
        Ok(chosen.len() == usize::from(MAX_REPLICAS))
    })
}

/// Creates, starts, stops and deletes environments. Any replica may accept a request, and any replica may run the request's job.
fn run_environments(edge: &str, token: &str) -> Result<()> {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let project = create_project(edge, token, "Run by two versions")?;
    let mut environments = Vec::new();
    for number in 0..ENVIRONMENTS {
        let new = json!({ "name": format!("skew-{number}"), "image": "busybox:1.37" });
        let created = send("POST", &format!("{edge}/api/projects/{project}/environments"), &headers, Some(&new))?;
        ensure!(created.status == 201, "environment: {} {}", created.status, created.body);
        environments.push(format!("{edge}{}", created.header("location")));
    }
    let all_are = |status: &str| {
        for environment in &environments {
            wait_until(&format!("an environment is {status}"), OPERATION_LIMIT, || {
                let answer = send("GET", environment, &headers, None)?;
                ensure!(answer.status == 200, "{environment}: {} {}", answer.status, answer.body);
                Ok(answer.json()?["status"].as_str().context("an environment without a status")? == status)
            })?;
        }
        anyhow::Ok(())
    };
    let all_accept = |method: &str, action: &str| {
        environments.iter().try_for_each(|environment| {
            let answer = send(method, &format!("{environment}{action}"), &headers, None)?;
            ensure!(answer.status == 202, "{action}: {} {}", answer.status, answer.body);
            Ok(())
        })
    };
    all_are("stopped")?;
    all_accept("POST", "/start")?;
    all_are("running")?;
    all_accept("POST", "/stop")?;
    all_are("stopped")?;
    all_accept("DELETE", "")
}

/// The number of migrations applied to the database.
fn migrations(stack: &Stack) -> Result<u64> {
    stack.sql("SELECT count(*) FROM _sqlx_migrations WHERE success")?.trim().parse().context("failed to read the number of migrations")
}
