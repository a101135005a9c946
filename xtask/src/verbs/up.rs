//! `cargo xtask up`: runs the whole stack on this machine, without containers.
//! `devstack::stack` has the processes of a stack. `cargo xtask down` stops a stack in the background.

use std::time::Duration;

use anyhow::{Result, ensure};
use devstack::background::is_background;
use devstack::cargo;
use devstack::engine::Engine;
use devstack::paths;
use devstack::ports::MAX_REPLICAS;
use devstack::process::{interrupted, pause};
use devstack::settings::Settings;
use devstack::stack::{Demo, Plan, Scope, Stack, fixed_ports, tracing_settings};
use devstack::tools::{ROTEL, Tool, require};

use crate::form::Choice;

/// Maximum time until a stack in the background is ready.
const LIMIT: Duration = Duration::from_mins(5);

/// Where environments run.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Environments {
    /// Simulated, in Postgres.
    Sim,
    /// On the machine's Docker engine.
    Docker,
}

/// The part of the stack to start.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// Prometheus, Alertmanager, exporters, mail sink, runbooks, and Grafana if it is installed.
    Monitoring,
    /// Replicas, edge, simulated platforms, Postgres and Redis.
    Service,
    /// Postgres and Redis.
    Stores,
}

impl From<Part> for Scope {
    fn from(part: Part) -> Self {
        match part {
            Part::Monitoring => Self::Monitoring,
            Part::Service => Self::Service,
            Part::Stores => Self::Stores,
        }
    }
}

/// Start the whole stack as local processes, on the ports of Compose.
///
/// Ctrl-C stops it. Its data is in `.stack/`. Without `--production`, the showcase gets demo projects, unless `DEMO_DATA=off`, and k6 sends
/// about one request per second, unless `DEMO_TRAFFIC=off`.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Leave the stack running in the background; `cargo xtask down` stops it.
    #[arg(long)]
    detach: bool,
    /// Start one part of the stack. Another part can be started beside it.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Number of replicas of the application.
    #[arg(long, default_value_t = MAX_REPLICAS, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_REPLICAS)))]
    replicas: u16,
    /// Build the application with optimisations.
    #[arg(long)]
    release: bool,
    /// Where environments run.
    #[arg(long, value_enum, default_value_t = Environments::Sim)]
    environments: Environments,
    /// Keep the traces of all requests with their log lines; `cargo xtask trace` prints them.
    #[arg(long)]
    tracing: bool,
    #[command(flatten)]
    form: Choice,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let checkout = Settings::of_checkout()?;
    let demo = Demo::of(&checkout, args.form.form())?;
    let scope = args.only.map_or(Scope::Whole, Scope::from);
    ensure!(scope.has_service() || !args.tracing, "--tracing is for a stack with replicas: leave out --only, or use --only service");
    if !is_background() {
        let programs: Vec<&Tool> = scope.programs().iter().copied().chain(args.tracing.then_some(&ROTEL)).collect();
        require(&programs, args.install)?;
        if args.install && scope.has_service() {
            require(demo.programs(), true)?;
        }
    }
    let engine = match args.environments {
        Environments::Docker if scope.has_service() => Some(Engine::require(args.install)?),
        Environments::Docker | Environments::Sim => None,
    };
    if !is_background() {
        if scope.has_service() {
            cargo::build(args.release, args.install)?;
        }
        if args.detach {
            print!("{}", scope.slot().launch(LIMIT)?);
            eprintln!("running in the background; `cargo xtask down` stops it");
            return Ok(true);
        }
    }
    let held = scope.slot().hold()?;
    let ports = fixed_ports(args.replicas)?.in_form(args.form.form());
    let (ports, tracing) = if args.tracing {
        let settings = tracing_settings(&checkout, &ports);
        (ports.with_tracing(), settings)
    } else {
        (ports, Vec::new())
    };
    let plan = Plan {
        folder: paths::stack(),
        ports,
        replicas: args.replicas,
        binary: cargo::binary(args.release),
        engine,
        settings: demo.settings().into_iter().chain(tracing).collect(),
    };
    let mut stack = Stack::start_only(plan, scope)?;
    let mut table = stack.table()?;
    if scope.has_service() {
        table += &demo.add_to(&mut stack)?;
    }
    held.ready(&table)?;
    if !is_background() {
        print!("\n{table}");
        eprintln!("Ctrl-C stops the stack");
    }
    while !interrupted() {
        stack.keep_running()?;
        // `pause` fails on an interrupt, which also ends the loop.
        let _ = pause();
    }
    eprintln!("stopping");
    Ok(true)
}
