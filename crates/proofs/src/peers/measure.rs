//! Measures one target in one round: its sockets, its idle state, then each case. Repeats a measurement that other programs disturbed.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use devstack::process::rest;
use serde_json::json;

use super::cases::Case;
use super::fixture::Fixture;
use super::load::Scripts;
use super::results::{Results, Sample, Size};
use super::target::{Name, Running, Target};
use crate::machine::{Cores, TICKS_PER_SECOND, busy_ticks, cpu_ticks};
use crate::sockets::Sockets;

/// Share of a core that other programs may use during a measurement, on the server's core.
const FOREIGN_ON_SERVER: f64 = 0.05;
/// The same on all other cores together.
const FOREIGN_ON_LOAD: f64 = 0.20;
/// Maximum number of measurements of a case in one round.
const TRIES: u32 = 3;
/// Duration of the idle measurement: long enough that half a percent of a core is five ticks.
const IDLE: Duration = Duration::from_secs(10);
/// Time for a target to become idle after its start, or after its clients connected.
const SETTLE: Duration = Duration::from_secs(2);

/// The resources and settings of a round.
pub struct Resources<'a> {
    /// The cores of the server and of the load.
    pub cores: Cores,
    /// The stores.
    pub fixture: &'a Fixture,
    /// The scripts of the load.
    pub scripts: Scripts,
    /// Duration of one measurement of a case, in seconds.
    pub seconds: u32,
    /// Number of silent Socket.IO clients; 0 skips their measurement.
    pub sockets: u32,
}

/// Totals of the used CPU ticks, read at one moment.
struct Usage {
    at: Instant,
    server: u64,
    /// Used by this process, the load and the stores.
    own: u64,
    /// Used by any program on the server's core.
    on_server_core: u64,
    /// Used by any program on the other cores.
    on_load_cores: u64,
}

impl Resources<'_> {
    /// Runs one round of a target.
    pub fn round(&self, target: &Target, results: &mut Results) -> Result<()> {
        if self.sockets > 0 && target.name.has_sockets() {
            // Measure sockets in a new process: after load, sockets would reuse freed memory, and resident memory would not show their size.
            let running = self.start(target)?;
            results.add_size(target.name, Size::Socket, self.socket_kb(&running)?);
        }
        let running = self.start(target)?;
        rest(SETTLE)?;
        results.add_size(target.name, Size::IdleMemory, running.resident_mb());
        if target.name != Name::BareAxum {
            results.add_size(target.name, Size::IdleCpu, idle_percent(&running)?);
        }
        // Warm up every route first: otherwise the just-in-time compilation of shared code would count for the first measured route.
        for &case in target.name.cases() {
            self.warm_up(target.name, &running, case)?;
        }
        for &case in target.name.cases() {
            let sample = self.undisturbed(target.name, &running, case)?;
            eprintln!(
                "    {:<27} {:>9.1} µs of CPU, p99 {:>7.2} ms, server busy {:>3.0} %{}",
                case.name(),
                sample.cpu_micros,
                sample.p99_ms,
                100.0 * sample.busy,
                if sample.disturbed { ", DISTURBED" } else { "" }
            );
            results.add(target.name, case, sample);
        }
        results.add_size(target.name, Size::LoadedMemory, running.resident_mb());
        Ok(())
    }

    fn start(&self, target: &Target) -> Result<Running> {
        target.start(self.cores.server, &self.fixture.token, self.fixture.folder())
    }

    /// Measures a case until no other program disturbs the measurement, at most `TRIES` times.
    fn undisturbed(&self, name: Name, running: &Running, case: Case) -> Result<Sample> {
        self.warm_up(name, running, case)?;
        let mut tries = 1;
        loop {
            let sample = self.measure(name, running, case)?;
            if !sample.disturbed || tries == TRIES {
                return Ok(sample);
            }
            tries += 1;
        }
    }

    /// Warms up just-in-time compilers, caches and pools.
    fn warm_up(&self, name: Name, running: &Running, case: Case) -> Result<()> {
        self.scripts.run(&running.url, &self.fixture.token, case, self.seconds.div_ceil(2), name.as_str()).map(drop)
    }

    fn measure(&self, name: Name, running: &Running, case: Case) -> Result<Sample> {
        let before = self.usage(running)?;
        let figures = self.scripts.run(&running.url, &self.fixture.token, case, self.seconds, name.as_str())?;
        let after = self.usage(running)?;
        let ticks = after.at.duration_since(before.at).as_secs_f64() * TICKS_PER_SECOND;
        let server = used(before.server, after.server);
        ensure!(server > 0.0, "{} of {name} used no CPU time: another process served the requests", case.name());
        let foreign_on_server = (used(before.on_server_core, after.on_server_core) - server) / ticks;
        let foreign_on_load = (used(before.on_load_cores, after.on_load_cores) - used(before.own, after.own)) / ticks;
        Ok(Sample {
            cpu_micros: server / TICKS_PER_SECOND * 1e6 / figures.requests,
            p99_ms: figures.p99_micros / 1e3,
            busy: server / ticks,
            bytes: figures.bytes / figures.requests,
            disturbed: foreign_on_server > FOREIGN_ON_SERVER || foreign_on_load > FOREIGN_ON_LOAD,
        })
    }

    fn usage(&self, running: &Running) -> Result<Usage> {
        let server = cpu_ticks(running.pid());
        Ok(Usage {
            at: Instant::now(),
            server,
            // The ticks of this process include those of its descendants: the server, the stores, and each run of wrk that has ended. The
            // server's ticks are subtracted.
            own: cpu_ticks(std::process::id()).saturating_sub(server),
            on_server_core: busy_ticks(&[self.cores.server])?,
            on_load_cores: busy_ticks(&self.cores.load)?,
        })
    }

    /// Memory per silent Socket.IO client in kB.
    fn socket_kb(&self, running: &Running) -> Result<f64> {
        rest(SETTLE)?;
        let before = running.resident_mb();
        let mut clients = Sockets::start()?;
        let command = json!({ "command": "idle", "url": running.url, "token": self.fixture.token, "clients": self.sockets });
        let answer = clients.ask(&command)?;
        ensure!(answer["connected"] == self.sockets, "some clients failed to connect: {answer}");
        rest(SETTLE)?;
        let each = (running.resident_mb() - before) * 1e3 / f64::from(self.sockets);
        eprintln!("    {} silent sockets: {each:.1} kB each", self.sockets);
        Ok(each)
    }
}

/// CPU ticks between two moments, at least zero: the second sum may lack the ticks of a process that ended in between.
#[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^52 ticks")]
fn used(before: u64, after: u64) -> f64 {
    after.saturating_sub(before) as f64
}

/// CPU that an idle service uses, in percent of a core.
fn idle_percent(running: &Running) -> Result<f64> {
    let (start, before) = (Instant::now(), cpu_ticks(running.pid()));
    rest(IDLE)?;
    let ticks = used(before, cpu_ticks(running.pid()));
    Ok(100.0 * ticks / TICKS_PER_SECOND / start.elapsed().as_secs_f64())
}
