//! The command line of `vitrine`: its commands, and the sources of the variables.
//!
//! A variable comes from an argument or from the environment. A secret may also come from the file that `<NAME>_FILE` names. An empty
//! variable counts as absent, because Compose writes `NAME=` for `${NAME:-}`. No other module reads the environment.

use std::path::Path;

use clap::builder::Resettable;
use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};

use super::Config;

/// Variables that `<NAME>_FILE` can provide.
const SECRETS: [&str; 6] = ["DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "METRICS_TOKEN", "SMTP_URL", "TOKEN_KEYS"];
/// The value of `REPLICA` that stands for the name of the machine, for orchestrators that start all replicas with the same variables.
const NAME_OF_MACHINE: &str = "@hostname";

/// The command line of `vitrine`.
#[derive(Parser, Debug)]
#[command(
    name = "vitrine",
    version,
    about = "A studio for dev environments with a public showcase",
    args_conflicts_with_subcommands = false
)]
pub struct Cli {
    /// Command to run
    #[arg(value_enum, default_value = "serve")]
    pub verb: Verb,
    /// With `grant-admin`: e-mail address of the account
    #[arg(value_name = "EMAIL", required_if_eq("verb", "grant-admin"))]
    pub email: Option<String>,
    /// With `config`: check the variables without printing them
    #[arg(long)]
    pub check: bool,
    /// With `seed`: change nothing in production, instead of failing
    #[arg(long)]
    pub unless_production: bool,
    /// All configuration variables
    #[command(flatten)]
    pub config: Config,
}

/// The commands of `vitrine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Verb {
    /// Serve requests until SIGTERM or Ctrl-C
    Serve,
    /// Migrate the database schema and exit
    Migrate,
    /// Grant the admin role to the account with the given e-mail address and exit
    GrantAdmin,
    /// Add demo projects to the showcase and exit; refused in production
    Seed,
    /// Check whether the replica on this machine is ready: exit code 0 or 1
    Healthcheck,
    /// Print the configuration with secrets redacted
    Config,
}

impl Cli {
    /// Parses the command line, the environment and the secrets' files.
    ///
    /// # Errors
    /// An invalid value, with the name of its variable; also the text of `--help` and `--version`.
    pub fn read() -> Result<Self, clap::Error> {
        let mut arguments: Vec<String> = std::env::args().collect();
        for name in SECRETS {
            let path = std::env::var(format!("{name}_FILE")).unwrap_or_default();
            if path.is_empty() {
                continue;
            }
            let secret = std::fs::read_to_string(Path::new(&path))
                .map_err(|error| Self::error(&format!("{name}_FILE must be a readable file; {path}: {error}")))?;
            if !secret.trim().is_empty() {
                arguments.push(format!("--{}={}", name.to_lowercase().replace('_', "-"), secret.trim_end()));
            }
        }
        let command: Command = Self::command().mut_args(without_empty_variable);
        let mut cli = Self::from_arg_matches(&command.try_get_matches_from(arguments)?)?;
        if cli.config.replica == NAME_OF_MACHINE {
            cli.config.replica =
                name_of_machine().map_err(|error| Self::error(&format!("REPLICA must be a name: the machine has none: {error}")))?;
        }
        if cli.verb != Verb::GrantAdmin && cli.email.is_some() {
            return Err(Self::error("only grant-admin takes an e-mail address"));
        }
        cli.config.check().map_err(|message| Self::error(&message))?;
        Ok(cli)
    }

    fn error(message: &str) -> clap::Error {
        Self::command().error(clap::error::ErrorKind::ValueValidation, message)
    }
}

/// The name of the machine without its domain.
fn name_of_machine() -> std::io::Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    Ok(name.trim().split('.').next().unwrap_or_default().to_owned())
}

fn without_empty_variable(arg: Arg) -> Arg {
    let is_empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    if is_empty { arg.env(Resettable::Reset) } else { arg }
}
