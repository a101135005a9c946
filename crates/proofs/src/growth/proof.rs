//! One run: measures the cost of work at growing amounts of each subject, such as rows or sockets, then judges the ratios of these costs
//! and writes them to `docs/`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use devstack::cargo;
use devstack::paths;
use devstack::report::{Outcome, Report};
use devstack::tools::{CADDY, INITDB, NODE, REDIS, SOCKET_IO_CLIENT, WRK, require};

use super::curve::Curve;
use super::document::{self, Conditions};
use super::meter::Meter;
use super::setup::Setup;
use super::{edge, picture, requests, rows, scrape, sockets};
use crate::machine::Cores;
use crate::peers::document as performance;
use crate::peers::fixture::Fixture;
use crate::peers::load::Scripts;

/// Fewer rounds give no meaningful median.
const ROUNDS_TO_WRITE: u32 = 3;

/// What to measure, and how long.
pub struct Options {
    /// Whether to measure at most a tenth of the rows, sockets and requests, in shorter rounds.
    pub quick: bool,
    /// Number of rounds; each measures every amount once, but `requests` has a single round. Default: 5, or 1 with `quick`.
    pub rounds: Option<u32>,
    /// The subjects: edge, scrape, rows, sockets, requests; all of them if empty.
    pub only: Vec<String>,
    /// The binary to measure, with provider-sim in the same folder. If absent, the proof builds both.
    pub program: Option<PathBuf>,
    /// Whether missing tools may be installed.
    pub install: bool,
}

/// A quantity that grows during its measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Edge,
    Scrape,
    Rows,
    Sockets,
    Requests,
}

impl Subject {
    /// All subjects, in the order of measurement.
    const ALL: [Self; 5] = [Self::Edge, Self::Scrape, Self::Rows, Self::Sockets, Self::Requests];

    /// The subjects with these names, in the order of measurement. An empty list selects all subjects.
    fn named(names: &[String]) -> Result<Vec<Self>> {
        if names.is_empty() {
            return Ok(Self::ALL.to_vec());
        }
        let chosen: Vec<Self> = names
            .iter()
            .map(|name| match name.as_str() {
                "edge" => Ok(Self::Edge),
                "scrape" => Ok(Self::Scrape),
                "rows" => Ok(Self::Rows),
                "sockets" => Ok(Self::Sockets),
                "requests" => Ok(Self::Requests),
                other => bail!("unknown subject {other}; the subjects are edge, scrape, rows, sockets and requests"),
            })
            .collect::<Result<_>>()?;
        Ok(Self::ALL.into_iter().filter(|subject| chosen.contains(subject)).collect())
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Edge => "replicas behind the edge",
            Self::Scrape => "series of a scrape",
            Self::Rows => "rows and finished jobs",
            Self::Sockets => "sockets of a broadcast",
            Self::Requests => "requests",
        }
    }
}

/// The amounts of a full run or of a quick one.
struct Amounts {
    rows: &'static [u64],
    sockets: &'static [u64],
    requests: u64,
}

const FULL: Amounts = Amounts { rows: &[1_000, 100_000, 1_000_000], sockets: &[10, 100, 1_000, 10_000], requests: 1_000_000 };
const QUICK: Amounts = Amounts { rows: &[1_000, 10_000, 100_000], sockets: &[10, 100, 1_000], requests: 100_000 };

/// Adds the measurements to a report.
pub fn add(report: &mut Report, options: &Options) -> Result<()> {
    let subjects = Subject::named(&options.only)?;
    let cores = Cores::divide()?;
    require(&[&INITDB, &REDIS, &CADDY, &WRK, &NODE, &SOCKET_IO_CLIENT], options.install)?;
    let program = if let Some(program) = &options.program {
        program.canonicalize().with_context(|| format!("failed to find {}", program.display()))?
    } else {
        cargo::build(true, options.install)?;
        cargo::binary(true)
    };
    let fixture = Fixture::open()?;
    let mut setup = Setup {
        fixture: &fixture,
        program,
        scripts: Scripts::write(fixture.folder())?,
        meter: Meter::new(cores.all()),
        rounds: options.rounds.unwrap_or(if options.quick { 1 } else { 5 }),
        seconds: if options.quick { 1 } else { 2 },
        core: cores.server,
    };
    let amounts = if options.quick { &QUICK } else { &FULL };
    let (mut curves, mut measured) = (Vec::new(), 0);
    for subject in &subjects {
        report.step(subject.name(), || {
            curves.extend(measure(*subject, &mut setup, &cores, amounts)?);
            measured += 1;
            Ok(Outcome::passed())
        })?;
    }
    for curve in &curves {
        report.add(&curve.what, Duration::ZERO, curve.outcome());
    }
    let conditions = Conditions { rounds: setup.rounds, cores: cores.all().len(), measured: setup.meter.counts() };
    let table = document::table(&conditions, &curves);
    println!("\n{table}");
    let is_whole = !options.quick && options.program.is_none() && measured == Subject::ALL.len();
    if is_whole && setup.rounds >= ROUNDS_TO_WRITE {
        performance::write("growth", &table)?;
        fs::write(paths::root().join("docs/growth.svg"), picture::draw(&curves)).context("failed to write docs/growth.svg")?;
        eprintln!("docs/PERFORMANCE.md and docs/growth.svg written");
    } else {
        eprintln!(
            "docs/PERFORMANCE.md unchanged: only a run of all subjects with at least three rounds, without --quick or --program, writes it"
        );
    }
    Ok(())
}

fn measure(subject: Subject, setup: &mut Setup<'_>, cores: &Cores, amounts: &Amounts) -> Result<Vec<Curve>> {
    // The subjects edge and scrape use all cores. The others load one replica at a time, on a core that is reserved for replicas, so this
    // process and the load move to the other cores.
    if !matches!(subject, Subject::Edge | Subject::Scrape) {
        cores.take_load_side()?;
    }
    match subject {
        Subject::Edge => Ok(vec![edge::measure(setup)?]),
        Subject::Scrape => Ok(vec![scrape::measure(setup.rounds)?]),
        Subject::Rows => rows::measure(setup, amounts.rows),
        Subject::Sockets => Ok(vec![sockets::measure(setup, amounts.sockets)?]),
        Subject::Requests => requests::measure(setup, amounts.requests),
    }
}
