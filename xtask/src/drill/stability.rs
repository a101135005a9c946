//! What comes and goes: processes that restart, targets that are lost and found.

use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use super::traffic::Traffic;
use super::{Drill, ends};

/// Enough to be scraped.
const UP: Duration = Duration::from_secs(2);

/// A replica is killed, comes back, and is killed again.
pub const RESTARTS: Drill = Drill {
    alerts: &["ProcessRestarting"],
    cause: "backend-2 is killed again and again, and started again each time",
    mitigation: "nobody kills it any more",
    inject: |bench| {
        for _ in 0..4 {
            bench.stack.end_replica(2, Signal::KILL)?;
            bench.stack.start_successor(2)?;
            thread::sleep(UP);
        }
        Ok(ends(()))
    },
};

/// An exporter hangs, but never for long.
pub const FLAPPING: Drill = Drill {
    alerts: &["StatusFlapping"],
    cause: "the exporter of the machine is frozen for some seconds, again and again",
    mitigation: "it goes on",
    inject: |bench| {
        let exporter = bench.stack.pid("node-exporter")?;
        let freezer = Traffic::start(1, 1, move |_, _| {
            for signal in [Signal::STOP, Signal::CONT] {
                // It may have left.
                let _ = kill_process(exporter, signal);
                thread::sleep(Duration::from_millis(2500));
            }
        });
        Ok(ends(freezer))
    },
};
