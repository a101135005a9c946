//! The order of a run: all targets must give equivalent responses; then CPU per request, latency and memory are compared.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use devstack::report::{Outcome, Report};
use devstack::tools::{INITDB, NODE, NODE_20, NPM, REDIS, ROTEL, SOCKET_IO_CLIENT, WRK, require};

use super::collector;
use super::contract::{self, Answers};
use super::document::{self, Conditions};
use super::fixture::Fixture;
use super::goals::judge;
use super::load::Scripts;
use super::measure::Resources;
use super::programs;
use super::results::Results;
use super::target::{Name, Target};
use crate::machine::Cores;

/// Minimum number of rounds for writing docs/PERFORMANCE.md: fewer give no meaningful median.
const ROUNDS_TO_WRITE: u32 = 3;
/// The share of requests with a trace, or with an access line, in the variants of Vitrine.
const SHARE: &str = "0.1";

/// The targets of the comparison, and its extent.
pub struct Options {
    /// Number of rounds; each measures every target once.
    pub rounds: u32,
    /// Duration of one measurement of a case, in seconds.
    pub seconds: u32,
    /// Number of silent Socket.IO clients; 0 skips their measurement.
    pub sockets: u32,
    /// The peers to compare with; all of them if empty.
    pub only: Vec<String>,
    /// Another Vitrine to compare with: a revision, which is built, or a binary.
    pub baseline: Option<String>,
    /// An existing binary to measure instead of building one; docs/PERFORMANCE.md then stays unchanged.
    pub program: Option<PathBuf>,
    /// Whether to check the responses only, and measure nothing.
    pub check: bool,
    /// Whether missing tools may be installed.
    pub install: bool,
}

/// Adds the comparison to a report.
pub fn add(report: &mut Report, options: &Options) -> Result<()> {
    let peers = Name::peers(&options.only)?;
    let cores = Cores::divide()?;
    let mut tools = vec![&INITDB, &REDIS, &WRK, &NODE, &SOCKET_IO_CLIENT];
    if peers.contains(&Name::Fastify) {
        tools.extend([&NODE_20, &NPM]);
    }
    let variants = if options.only.is_empty() { &Name::VARIANTS[..] } else { &[] };
    if !variants.is_empty() {
        tools.push(&ROTEL);
    }
    require(&tools, options.install)?;
    // Vitrine's builds take minutes and come last, so that a failed build of a peer is reported early.
    let peers = peers.into_iter().map(|name| Ok((name, programs::peer(name, options.install)?))).collect::<Result<Vec<_>>>()?;
    let baseline = options.baseline.as_deref().map(|wanted| programs::baseline(wanted, options.install)).transpose()?;
    let vitrine = programs::vitrine(options.program.as_deref(), options.install)?;
    let serve = |program: PathBuf| (program, vec!["serve".into()]);
    let mut programs = vec![(Name::Vitrine, serve(vitrine.clone()))];
    programs.extend(baseline.map(|program| (Name::Baseline, serve(program))));
    programs.extend(variants.iter().map(|name| (*name, serve(vitrine.clone()))));
    programs.extend(peers);

    cores.take_load_side()?;
    let fixture = Fixture::open()?;
    let collector = if variants.is_empty() { None } else { Some(collector::start(fixture.folder())?) };
    let mut targets = Vec::new();
    for (number, (name, program)) in programs.into_iter().enumerate() {
        let migrating = if name == Name::Baseline { &program.0 } else { &vitrine };
        let stores =
            fixture.prepare(name.as_str(), number, migrating).with_context(|| format!("failed to prepare the database of {name}"))?;
        let settings = match (name, &collector) {
            (Name::Traced, Some((_, url))) => {
                vec![("OTEL_EXPORTER_OTLP_ENDPOINT", url.clone()), ("OTEL_TRACES_SAMPLER_ARG", SHARE.to_owned())]
            }
            (Name::Logged, _) => vec![("ACCESS_LOG_SAMPLE", SHARE.to_owned())],
            _ => Vec::new(),
        };
        targets.push(Target { name, program, stores, settings });
    }
    let alike = check(report, &targets, &fixture, &cores)?;
    if alike && !options.check {
        measure(report, &targets, &fixture, cores, options)?;
    }
    Ok(())
}

/// Sends the requests of the contract to all targets; returns whether the responses are equivalent.
fn check(report: &mut Report, targets: &[Target], fixture: &Fixture, cores: &Cores) -> Result<bool> {
    let mut reference: Option<Answers> = None;
    let mut alike = 0;
    for target in targets {
        report.step(format!("{} gives the expected responses", target.name), || {
            let running = target.start(cores.server, &fixture.token, fixture.folder())?;
            let answers = contract::ask(target.name, &running, &fixture.token)?;
            let count = answers.len();
            match &reference {
                Some(reference) => answers.compare(target.name, reference)?,
                None => reference = Some(answers),
            }
            alike += 1;
            Ok(Outcome::passed().with_note(format!("{count} requests")))
        })?;
    }
    Ok(alike == targets.len())
}

fn measure(report: &mut Report, targets: &[Target], fixture: &Fixture, cores: Cores, options: &Options) -> Result<()> {
    let conditions = Conditions { rounds: options.rounds, seconds: options.seconds, load_cores: cores.load.len() };
    let scripts = Scripts::write(fixture.folder())?;
    let resources = Resources { cores, fixture, scripts, seconds: options.seconds, sockets: options.sockets };
    let mut results = Results::default();
    let mut measured = 0;
    for round in 1..=options.rounds {
        for target in targets {
            report.step(format!("round {round}: {}", target.name), || {
                resources.round(target, &mut results)?;
                measured += 1;
                Ok(Outcome::passed())
            })?;
        }
    }
    let goals = judge(&results);
    for goal in &goals {
        report.add(&goal.what, std::time::Duration::ZERO, goal.outcome());
    }
    let tables = document::tables(&conditions, &results, &goals);
    println!("\n{tables}");
    ensure!(!goals.is_empty(), "no measurement can be compared");
    let is_whole =
        measured == options.rounds as usize * targets.len() && options.only.is_empty() && options.program.is_none() && options.sockets > 0;
    if is_whole && options.rounds >= ROUNDS_TO_WRITE && goals.iter().all(|goal| !goal.disturbed) {
        document::write("peers", &tables)?;
        eprintln!("docs/PERFORMANCE.md written");
    } else {
        eprintln!(
            "docs/PERFORMANCE.md unchanged: an update requires at least three rounds of all targets, the measurement of sockets, a run \
             without --program, and little load from other programs"
        );
    }
    Ok(())
}
