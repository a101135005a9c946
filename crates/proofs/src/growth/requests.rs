//! A million requests must leave nothing behind in a replica: memory, series, tasks and open files must stay flat during the second half.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::curve::{Curve, grouped};
use super::setup::{Replica, Setup};
use crate::peers::cases::Case;
use devstack::http::get;
use devstack::process::rest;

/// The kinds of requests, sent in turn; each turn lasts one second.
const CASES: [Case; 5] = [Case::Health, Case::Me, Case::Project, Case::List, Case::Create];
/// Samples of the second half, in addition to one at its start.
const SAMPLES: u64 = 5;
/// Number of observations of the replica after the last request of a sample, one second apart. The lowest figures count: connections and
/// their tasks end some time after their last request.
const LOOKS: usize = 5;
/// Maximum growth, compared with any earlier sample, of figures that vary: memory, tasks and open files.
const NEARLY_FLAT: f64 = 1.1;
/// Maximum growth of the number of series, which does not vary.
const FLAT: f64 = 1.0;

/// Sends the requests and samples the replica.
pub fn measure(setup: &Setup<'_>, total: u64) -> Result<Vec<Curve>> {
    let replica = setup.start("requests", 7, |_| Ok(()))?;
    let curve = |what: &str, limit| Curve::new(what, "requests", limit);
    let mut curves = [
        curve("resident memory", NEARLY_FLAT),
        curve("number of series", FLAT),
        curve("tasks of the runtime", NEARLY_FLAT),
        curve("open files", NEARLY_FLAT),
    ];
    let (half, step) = (total / 2, total / 2 / SAMPLES);
    let mut sent = 0.0;
    for sample in 0..=SAMPLES {
        let amount = half + sample * step;
        send(setup, &replica, amount, &mut sent)?;
        for (curve, figure) in curves.iter_mut().zip(settled(&replica)?) {
            curve.add(amount, figure);
        }
        eprintln!("    {} requests", grouped(amount));
    }
    Ok(curves.into())
}

/// Sends requests of all cases in turn, until the number `sent` has reached `total`.
#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 requests")]
fn send(setup: &Setup<'_>, replica: &Replica, total: u64, sent: &mut f64) -> Result<()> {
    for case in CASES.iter().cycle() {
        if *sent >= total as f64 {
            break;
        }
        *sent += setup.scripts.run(&replica.running.url, &setup.fixture.token, *case, 1, "vitrine")?.requests;
    }
    Ok(())
}

/// The lowest figures of several observations.
fn settled(replica: &Replica) -> Result<[f64; 4]> {
    let mut lowest = [f64::INFINITY; 4];
    for _ in 0..LOOKS {
        rest(Duration::from_secs(1))?;
        for (lowest, figure) in lowest.iter_mut().zip(figures(replica)?) {
            *lowest = lowest.min(figure);
        }
    }
    Ok(lowest)
}

/// Memory in MB, series, tasks and open files.
#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 of them")]
fn figures(replica: &Replica) -> Result<[f64; 4]> {
    let running = &replica.running;
    let text = get(&format!("{}/metrics", running.url))?.body;
    let samples = || text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let tasks = samples().find_map(|line| line.strip_prefix("runtime_tasks_alive ")).context("the replica does not count its tasks")?;
    let files = fs::read_dir(format!("/proc/{}/fd", running.pid())).context("failed to count open files")?.count();
    Ok([running.resident_mb(), samples().count() as f64, tasks.parse()?, files as f64])
}
