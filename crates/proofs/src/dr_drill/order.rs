//! The course of the drill.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use devstack::backup::{Backups, Kind, Until};
use devstack::cargo;
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::process::{Process, wait_until};
use devstack::report::{Outcome, Report};
use devstack::stack::{Plan, Stack};
use rustix::process::Signal;

use super::document::{self, Return};
use super::refusals;
use super::rows::Rows;
use super::samples;
use super::writes::{Acknowledged, stored};
use crate::prometheus;
use crate::users::sign_up;

/// The monitoring scrapes every second, so that the drill need not wait for it.
const SPEED: u32 = 15;
/// Acknowledged writes between two events of the drill.
const BETWEEN: usize = 40;
/// As many writes as may be stored before an event but acknowledged after it.
const IN_FLIGHT: usize = 8;
/// Longest time until Postgres has replayed its log, or a replica is reached through the edge.
const LIMIT: Duration = Duration::from_mins(1);

/// The extent of the drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// One replica, and no monitoring.
    Short,
    /// Everything; writes docs/DISASTER-RECOVERY.md.
    Whole,
}

/// Adds the proof to a report.
pub fn add(report: &mut Report, extent: Extent) -> Result<()> {
    let folder = paths::temporary("dr-drill")?;
    let started = report
        .obtain("a stack whose write-ahead log is received", || Ok((Drill::start(folder.path().to_owned(), extent)?, Outcome::passed())))?;
    let Some(mut drill) = started else { return Ok(()) };
    let made = report.obtain("a base backup, and a logical backup under load", || drill.back_up())?;
    let Some(made) = made else { return Ok(()) };
    if extent == Extent::Whole {
        report.step("Prometheus has the metrics of all three kinds of backup", || drill.metrics())?;
    }
    let mut returns = Vec::new();
    let log = "a bad DELETE, then the loss of the stores under load: return to the end of the log";
    let lost = report.obtain(log, || drill.lose_under_load(&made))?;
    let Some((lost, returned)) = lost else { return Ok(()) };
    returns.push(returned);
    returns.extend(report.obtain("return to just before the DELETE", || drill.just_before(&made, &lost))?);
    let rows = report.obtain("loss of the stores: return from a logical backup, row by row", || drill.row_by_row())?;
    returns.extend(rows);
    report.step("return to the logical backup under load, beside the present database", || drill.replace(&made))?;
    if extent == Extent::Whole {
        report.step("loss of Prometheus' data: the same queries have the same answers", || {
            samples::prove(&mut drill.stack, &drill.backups)
        })?;
    }
    refusals::prove(report, &drill.stack, &drill.backups, &made.logical, &made.base)?;
    if extent == Extent::Whole && returns.len() == document::RETURNS {
        document::write(&returns)?;
    }
    Ok(())
}

/// The backups, and the writes that were acknowledged before the logical one began and when it had ended.
struct Made {
    base: PathBuf,
    logical: PathBuf,
    before: BTreeSet<String>,
    after: BTreeSet<String>,
}

/// What was acknowledged around the bad DELETE, and the position of the log just before it.
struct Lost {
    position: String,
    before: BTreeSet<String>,
    after: BTreeSet<String>,
}

struct Drill {
    stack: Stack,
    backups: Backups,
    receiver: Process,
    replicas: u16,
    token: String,
    writes: Acknowledged,
}

fn names(writes: &[(String, Instant)]) -> BTreeSet<String> {
    writes.iter().map(|(name, _)| name.clone()).collect()
}

impl Drill {
    fn start(folder: PathBuf, extent: Extent) -> Result<Self> {
        let replicas = if extent == Extent::Whole { MAX_REPLICAS } else { 1 };
        // Unoptimised replicas share the machine with everything else.
        let settings = vec![("DATABASE_ACQUIRE_TIMEOUT".to_owned(), "5s".to_owned()), ("DRAIN_DELAY".to_owned(), "1s".to_owned())];
        let plan = Plan { folder, ports: Ports::any(replicas)?, replicas, binary: cargo::binary(false), engine: None, settings };
        let stack = if extent == Extent::Whole { Stack::start_at(plan, SPEED)? } else { Stack::start_service(plan)? };
        let backups = stack.backups()?;
        let receiver = backups.receive_log(stack.logs())?;
        let token = sign_up(&stack.edge()?, "disaster@example.org")?;
        Ok(Self { stack, backups, receiver, replicas, token, writes: Acknowledged::default() })
    }

    fn back_up(&mut self) -> Result<(Made, Outcome)> {
        let base = self.backups.make(Kind::Base)?;
        let load = self.writes.under_load(&self.stack.edge()?, &self.token);
        let before = names(&self.writes.wait_for_more(BETWEEN)?);
        let start = Instant::now();
        let logical = self.backups.make(Kind::Logical)?;
        let (took, during) = (start.elapsed(), self.writes.all().len() - before.len());
        let ended = self.writes.wait_for_more(IN_FLIGHT)?.len();
        let after = names(&self.writes.wait_for_more(BETWEEN)?[ended..]);
        drop(load);
        ensure!(during > 0, "no write was acknowledged during the backup, so it was not made under load");
        let note = format!("{:.1} s, {during} writes acknowledged meanwhile", took.as_secs_f64());
        Ok((Made { base, logical, before, after }, Outcome::passed().with_note(note)))
    }

    fn metrics(&mut self) -> Result<Outcome> {
        let prometheus = self.stack.ports().url(Port::Prometheus)?;
        let query = "count(backup_last_success_timestamp_seconds{job=\"node\", kind=~\"logical|base|wal\"})";
        wait_until("the metrics of backups", LIMIT, || Ok(prometheus::value(&prometheus, query)? == Some(3.0)))?;
        let failures = prometheus::value(&prometheus, "sum(backup_failures_total)")?;
        ensure!(failures == Some(0.0), "backup_failures_total: {failures:?}");
        Ok(Outcome::passed())
    }

    /// Clients write until and after a bad DELETE; then Postgres and Redis are lost with their data, and the replicas with them. The load
    /// continues: the first write that is acknowledged again ends the outage.
    fn lose_under_load(&mut self, made: &Made) -> Result<((Lost, Return), Outcome)> {
        let load = self.writes.under_load(&self.stack.edge()?, &self.token);
        // Read in this order: everything in `before` is in the log up to the position.
        let before = names(&self.writes.wait_for_more(BETWEEN)?);
        let position = self.stack.sql("SELECT pg_current_wal_insert_lsn()")?.trim().to_owned();
        let listed: Vec<String> = before.iter().map(|name| format!("'{name}'")).collect();
        self.stack.sql(&format!("DELETE FROM projects WHERE name IN ({})", listed.join(", ")))?;
        let deleted = self.writes.wait_for_more(IN_FLIGHT)?.len();
        self.writes.wait_for_more(BETWEEN)?;

        let loss = Instant::now();
        self.lose_stores()?;
        let receiver = &mut self.receiver;
        wait_until("the receiver has written everything that it received", LIMIT, || Ok(receiver.check().is_err()))?;
        let until = self.writes.all();
        let after = &until[deleted..];
        self.return_base(&made.base, None)?;
        self.start_service()?;
        self.writes.wait_for_more(1)?;
        let returned = loss.elapsed();
        drop(load);

        let stored = stored(&self.stack)?;
        ensure!(before.is_disjoint(&stored), "the DELETE did not return");
        let missing: Vec<_> = after.iter().filter(|(name, _)| !stored.contains(name)).collect();
        let window = missing.first().map_or(Duration::ZERO, |(_, at)| loss.saturating_duration_since(*at));
        // The receiver confirms what it has flushed; a write may be acknowledged by Postgres a moment earlier.
        ensure!(window < Duration::from_secs(1), "{} acknowledged writes of {:.1} s are lost", missing.len(), window.as_secs_f64());
        let figures = Return { what: "received log", writes: after.len(), lost: missing.len(), window: Some(window), took: returned };
        let outcome = Outcome::passed().with_note(figures.note());
        let after = names(after);
        Ok(((Lost { position, before, after }, figures), outcome))
    }

    fn just_before(&mut self, made: &Made, lost: &Lost) -> Result<(Return, Outcome)> {
        let start = Instant::now();
        self.lose_stores()?;
        self.return_base(&made.base, Some(&Until::Position(lost.position.clone())))?;
        let took = start.elapsed();
        let stored = stored(&self.stack)?;
        let missing = lost.before.difference(&stored).count();
        ensure!(missing == 0, "{missing} writes that were acknowledged before the DELETE are missing");
        let later = lost.after.intersection(&stored).count();
        ensure!(later == 0, "{later} writes that were acknowledged after the DELETE are there");
        let figures = Return {
            what: "received log, to just before a statement",
            writes: lost.before.len(),
            lost: 0,
            window: Some(Duration::ZERO),
            took,
        };
        let outcome = Outcome::passed().with_note(figures.note());
        Ok((figures, outcome))
    }

    fn row_by_row(&mut self) -> Result<(Return, Outcome)> {
        let before = Rows::read(&self.stack)?;
        let backup = self.backups.make(Kind::Logical)?;
        let loss = Instant::now();
        self.stack.lose_postgres()?;
        // An empty database.
        self.stack.start_postgres()?;
        self.restore(&backup, false)?;
        let restored = loss.elapsed();
        let (tables, rows) = before.ensure_equal(&Rows::read(&self.stack)?)?;
        let start = Instant::now();
        self.start_service()?;
        let url = format!("{}/api/projects", self.stack.edge()?);
        wait_until("the service is reached through the edge", LIMIT, || {
            Ok(devstack::http::get(&url).is_ok_and(|answer| answer.status < 500))
        })?;
        let took = restored + start.elapsed();
        let figures = Return { what: "logical backup", writes: rows, lost: 0, window: None, took };
        let outcome = Outcome::passed().with_note(format!("{rows} rows of {tables} tables are equal; {:.1} s", took.as_secs_f64()));
        Ok((figures, outcome))
    }

    /// Restores the backup that was made under load in place of the present database.
    fn replace(&mut self, made: &Made) -> Result<Outcome> {
        self.stop_replicas()?;
        let refused = self.backups.restore(&made.logical, false)?;
        ensure!(!refused.success && refused.text.contains("is not empty"), "not refused: {}", refused.text);
        self.restore(&made.logical, true)?;
        let stored = stored(&self.stack)?;
        let missing = made.before.difference(&stored).count();
        ensure!(missing == 0, "{missing} writes that were acknowledged before the backup are missing");
        let later = made.after.intersection(&stored).count();
        ensure!(later == 0, "{later} writes that were acknowledged after the backup are there");
        let former = self.stack.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'vitrine_before_%'")?;
        ensure!(former.trim() == "1", "the former database was not kept");
        Ok(Outcome::passed().with_note(format!("{} writes acknowledged before the backup are there", made.before.len())))
    }

    fn restore(&self, backup: &Path, replace: bool) -> Result<()> {
        let restored = self.backups.restore(backup, replace)?;
        ensure!(restored.success, "{}", restored.text.trim_end());
        Ok(())
    }

    /// Postgres, Redis and the replicas are gone, as if their machine were.
    fn lose_stores(&mut self) -> Result<()> {
        self.stack.lose_postgres()?;
        self.stack.kill_redis()?;
        self.stop_replicas()
    }

    fn stop_replicas(&mut self) -> Result<()> {
        for number in 1..=self.replicas {
            self.stack.end_replica(number, Signal::KILL)?;
        }
        Ok(())
    }

    /// Returns Postgres from a base backup and waits until it has replayed its log.
    fn return_base(&mut self, base: &Path, until: Option<&Until>) -> Result<()> {
        let returned = self.backups.restore_base(base, &self.stack.postgres_data()?, until)?;
        ensure!(returned.success, "{}", returned.text.trim_end());
        self.stack.start_postgres()?;
        wait_until("Postgres has replayed its log", LIMIT, || Ok(self.stack.sql("SELECT pg_is_in_recovery()")?.trim() == "f"))
    }

    /// Starts an empty Redis, and the replicas.
    fn start_service(&mut self) -> Result<()> {
        self.stack.start_redis()?;
        for number in 1..=self.replicas {
            self.stack.launch_successor(number, &[])?;
        }
        let ready = format!("{}/health/ready", self.stack.backend(1)?);
        wait_until("backend-1 is ready", LIMIT, || Ok(devstack::http::is_ok(&ready))).context("after the return")
    }
}
