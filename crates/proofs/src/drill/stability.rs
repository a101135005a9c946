//! Instability: processes that restart, targets that flap.

use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use super::traffic::Traffic;
use super::{Drill, ends};

/// How long each restarted replica runs before the next kill: long enough for a scrape.
const UP: Duration = Duration::from_secs(2);

/// A replica is killed, comes back, and is killed again.
pub const RESTARTS: Drill = Drill {
    alerts: &["ProcessRestarting"],
    cause: "backend-2 is killed and restarted again and again",
    mitigation: "the kills stop",
    inject: |test| {
        for _ in 0..4 {
            test.stack.end_replica(2, Signal::KILL)?;
            test.stack.start_successor(2)?;
            thread::sleep(UP);
        }
        Ok(ends(()))
    },
};

/// An exporter hangs repeatedly, but never for long.
pub const FLAPPING: Drill = Drill {
    alerts: &["StatusFlapping"],
    cause: "the machine's exporter is frozen for some seconds, again and again",
    mitigation: "the exporter is unfrozen",
    inject: |test| {
        let exporter = test.stack.pid("node-exporter")?;
        let freezer = Traffic::start(1, 1, move |_, _| {
            for signal in [Signal::STOP, Signal::CONT] {
                // The process may have exited.
                let _ = kill_process(exporter, signal);
                thread::sleep(Duration::from_millis(2500));
            }
        });
        Ok(ends(freezer))
    },
};
