//! `cargo xtask peers`: compares one replica with a Fastify service, plain axum and bare axum, alternating in one run on the same cores.
//! All of them must first give equivalent responses; then CPU per request, latency and memory are compared. The parts are in `peers/`.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::peers::contract::{self, Answers};
use crate::peers::document::{self, Conditions};
use crate::peers::fixture::Fixture;
use crate::peers::goals::judge;
use crate::peers::load::Scripts;
use crate::peers::machine::Cores;
use crate::peers::measure::Bench;
use crate::peers::programs;
use crate::peers::results::Results;
use crate::peers::target::{Name, Target};
use crate::report::{Outcome, Report};
use crate::tools::{INITDB, NODE, NODE_20, NPM, REDIS, SOCKET_IO_CLIENT, WRK, require};

/// Fewer rounds give no meaningful median.
const ROUNDS_TO_WRITE: u32 = 3;

/// Compare one replica with services that do the same work.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Number of rounds; each measures every target once.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds per measurement.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Number of silent Socket.IO clients; 0 skips the measurement.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=10_000))]
    sockets: u32,
    /// Compare only with these peers: fastify, plain-axum, bare-axum.
    #[arg(long, value_delimiter = ',', value_name = "PEERS")]
    only: Vec<String>,
    /// Also compare with another Vitrine: a revision, which is built, or a binary.
    #[arg(long, value_name = "REVISION_OR_PROGRAM")]
    baseline: Option<String>,
    /// Measure this binary instead of building one; leaves docs/PERFORMANCE.md unchanged.
    #[arg(long, value_name = "PROGRAM")]
    program: Option<PathBuf>,
    /// Check that targets give equivalent responses, and measure nothing.
    #[arg(long)]
    check: bool,
}

/// Runs the verb and returns whether every step passed.
pub fn run(args: &Args) -> Result<bool> {
    let peers = Name::peers(&args.only)?;
    let cores = Cores::divide()?;
    let mut tools = vec![&INITDB, &REDIS, &WRK, &NODE, &SOCKET_IO_CLIENT];
    if peers.contains(&Name::Fastify) {
        tools.extend([&NODE_20, &NPM]);
    }
    require(&tools, args.install)?;
    // Builds that take minutes come last, so that other missing tools are reported at once.
    let peers = peers.into_iter().map(|name| Ok((name, programs::peer(name, args.install)?))).collect::<Result<Vec<_>>>()?;
    let baseline = args.baseline.as_deref().map(|wanted| programs::baseline(wanted, args.install)).transpose()?;
    let vitrine = programs::vitrine(args.program.as_deref(), args.install)?;
    let serve = |program: PathBuf| (program, vec!["serve".into()]);
    let mut programs = vec![(Name::Vitrine, serve(vitrine.clone()))];
    programs.extend(baseline.map(|program| (Name::Baseline, serve(program))));
    programs.extend(peers);

    cores.take_load_side()?;
    let fixture = Fixture::open()?;
    let mut targets = Vec::new();
    for (number, (name, program)) in programs.into_iter().enumerate() {
        let migrating = if name == Name::Baseline { &program.0 } else { &vitrine };
        let place = fixture.prepare(name.as_str(), number, migrating).with_context(|| format!("the database of {name}"))?;
        targets.push(Target { name, program, place });
    }
    let mut report = Report::new("peers");
    let alike = check(&mut report, &targets, &fixture, &cores)?;
    if alike && !args.check {
        measure(&mut report, &targets, &fixture, cores, args)?;
    }
    report.finish()
}

/// Sends the same requests to all targets; returns whether the responses are equivalent.
fn check(report: &mut Report, targets: &[Target], fixture: &Fixture, cores: &Cores) -> Result<bool> {
    let mut reference: Option<Answers> = None;
    let mut alike = 0;
    for target in targets {
        report.step(format!("{} responds as vitrine does", target.name), || {
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

fn measure(report: &mut Report, targets: &[Target], fixture: &Fixture, cores: Cores, args: &Args) -> Result<()> {
    let conditions = Conditions { rounds: args.rounds, seconds: args.seconds, load_cores: cores.load.len() };
    let scripts = Scripts::write(fixture.folder())?;
    let bench = Bench { cores, fixture, scripts, seconds: args.seconds, sockets: args.sockets };
    let mut results = Results::default();
    let mut measured = 0;
    for round in 1..=args.rounds {
        for target in targets {
            report.step(format!("round {round}: {}", target.name), || {
                bench.round(target, &mut results)?;
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
    let is_whole = measured == args.rounds as usize * targets.len() && args.only.is_empty() && args.program.is_none() && args.sockets > 0;
    if is_whole && args.rounds >= ROUNDS_TO_WRITE && goals.iter().all(|goal| !goal.disturbed) {
        document::write(&tables)?;
        eprintln!("docs/PERFORMANCE.md written");
    } else {
        eprintln!("docs/PERFORMANCE.md unchanged: it requires at least three undisturbed rounds of all targets");
    }
    Ok(())
}
