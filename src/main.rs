//! The command line: reads the configuration, runs the command, and sets the exit code; nothing else.

use std::process::ExitCode;

use clap::CommandFactory;
use vitrine::app::App;
use vitrine::config::{Cli, Verb};
use vitrine::{health, metrics, shutdown, telemetry};

/// The allocator, whose statistics are exported as metrics.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::read().unwrap_or_else(|error| error.exit());
    telemetry::init(&cli.config);
    let outcome = metrics::samplers::runtime::build().map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            match cli.verb {
                Verb::Serve => App::build(cli.config)?.run(shutdown::signal()).await,
                Verb::Migrate => App::build(cli.config.beside_a_replica())?.migrate().await,
                Verb::GrantAdmin => App::build(cli.config.beside_a_replica())?.grant_admin(&cli.email.unwrap_or_default()).await,
                Verb::Seed => App::build(cli.config.beside_a_replica())?.seed(cli.unless_production).await,
                Verb::Healthcheck => health::check_replica(cli.config.listen_address.port()).await,
                Verb::Config if cli.check => Ok(()),
                Verb::Config => Cli::command().print_long_help().map_err(Into::into),
            }
        })
    });
    outcome.map_or_else(
        |error| {
            tracing::error!(error = error.as_ref(), "vitrine failed");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}
