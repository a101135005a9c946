//! Configuration: every variable with its type, default, unit and effect. `vitrine config` prints them.
//!
//! Variables come from the environment; a secret may come from a file that `<NAME>_FILE` names. An empty variable is an absent one,
//! because Compose writes `NAME=` for `${NAME:-}`. An error names the variable and what it wants, never the value of a secret. Nothing
//! else in Vitrine reads the environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{BoolishValueParser, Resettable};
use clap::{Arg, ArgAction, Args, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::metrics::labels::{Dependency, DriverName};
use crate::sealing::Keyring;

/// Secrets, each of which `<NAME>_FILE` may give.
const SECRETS: [&str; 4] = ["DATABASE_URL", "REDIS_URL", "METRICS_TOKEN", "TOKEN_KEYS"];
/// Passwords that stand in examples.
const KNOWN_PASSWORDS: [&str; 6] = ["vitrine", "postgres", "password", "secret", "changeme", "admin"];

/// Above any limit that makes sense, below what Postgres' intervals hold.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// Where the service runs: what is merely unwise in development is refused in production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// A developer's machine or a test.
    Development,
    /// Everything that others reach.
    Production,
}

/// The shape of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For reading in a terminal.
    Text,
}

/// A dependency that readiness may require.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Requirement {
    /// Postgres.
    Postgres,
    /// Redis.
    Redis,
    /// The driver of environments.
    EnvironmentDriver,
}

impl Requirement {
    /// The dependency as metrics and the health routes name it.
    #[must_use]
    pub fn dependency(self) -> Dependency {
        match self {
            Self::Postgres => Dependency::Postgres,
            Self::Redis => Dependency::Redis,
            Self::EnvironmentDriver => Dependency::EnvironmentDriver,
        }
    }
}

/// A list of networks, comma separated; `none` is the empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "none" {
            return Ok(Self(Vec::new()));
        }
        let network = |part: &str| part.trim().parse().map_err(|_| format!("{part:?} is not a network such as 10.0.0.0/8"));
        text.split(',').map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// The whole configuration of a replica.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Where the service runs; production refuses known default secrets
    #[arg(long, env = "ENVIRONMENT", value_name = "ENVIRONMENT", default_value = "development")]
    pub environment: Environment,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "LISTEN_ADDRESS", value_name = "LISTEN_ADDRESS", default_value = "127.0.0.1:4001")]
    pub listen_address: SocketAddr,
    /// Name of this replica, told in the `x-served-by` header
    #[arg(long, env = "REPLICA", value_name = "REPLICA", default_value = "backend-1")]
    pub replica: String,
    /// Address under which browsers reach the service; https makes the session cookie Secure
    #[arg(long, env = "PUBLIC_URL", value_name = "PUBLIC_URL", default_value = "http://localhost:8080")]
    pub public_url: Url,
    /// Networks whose X-Forwarded-For is believed, comma separated; none for no network
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "TRUSTED_PROXIES", default_value = "127.0.0.0/8,::1/128")]
    pub trusted_proxies: Networks,
    /// Dependencies without which the replica is not ready, comma separated; postgres must be one of them
    #[arg(
        long,
        env = "READINESS_REQUIRES",
        value_name = "READINESS_REQUIRES",
        value_enum,
        value_delimiter = ',',
        default_value = "postgres"
    )]
    pub readiness_requires: Vec<Requirement>,

    /// Postgres, as postgres://user:password@host:port/database (secret)
    #[arg(long, env = "DATABASE_URL", value_name = "DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// Connections that this replica may hold
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", value_name = "DATABASE_MAX_CONNECTIONS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub database_max_connections: u32,
    /// Longest wait for a connection of the pool
    #[arg(long, env = "DATABASE_ACQUIRE_TIMEOUT", value_name = "DATABASE_ACQUIRE_TIMEOUT", default_value = "1s", value_parser = limit)]
    pub database_acquire_timeout: Duration,
    /// Longest time of one statement; Postgres itself ends it then
    #[arg(long, env = "DATABASE_STATEMENT_TIMEOUT", value_name = "DATABASE_STATEMENT_TIMEOUT", default_value = "1500ms", value_parser = limit)]
    pub database_statement_timeout: Duration,

    /// Redis, as redis://:password@host:port/number (secret)
    #[arg(long, env = "REDIS_URL", value_name = "REDIS_URL", hide_env_values = true)]
    pub redis_url: SecretString,
    /// First part of every Redis key
    #[arg(long, env = "REDIS_KEY_PREFIX", value_name = "REDIS_KEY_PREFIX", default_value = "vitrine")]
    pub redis_key_prefix: String,
    /// Longest time of one Redis command
    #[arg(long, env = "REDIS_TIMEOUT", value_name = "REDIS_TIMEOUT", default_value = "250ms", value_parser = limit)]
    pub redis_timeout: Duration,

    /// Longest time from a request's head to its answer's head
    #[arg(long, env = "REQUEST_TIMEOUT", value_name = "REQUEST_TIMEOUT", default_value = "10s", value_parser = limit)]
    pub request_timeout: Duration,
    /// Longest time that a client may take to send a request's head, or leave a connection idle
    #[arg(long, env = "HEADER_TIMEOUT", value_name = "HEADER_TIMEOUT", default_value = "15s", value_parser = limit)]
    pub header_timeout: Duration,
    /// Longest time that a client may take nothing of what it is sent
    #[arg(long, env = "WRITE_TIMEOUT", value_name = "WRITE_TIMEOUT", default_value = "30s", value_parser = limit)]
    pub write_timeout: Duration,
    /// Largest request body in bytes
    #[arg(long, env = "BODY_LIMIT", value_name = "BODY_LIMIT", default_value = "1048576")]
    pub body_limit: usize,
    /// Most TCP connections at once; more wait in the kernel's queue
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "MAX_CONNECTIONS", default_value = "8192", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections: u32,
    /// Time between telling the edge that the replica leaves and refusing connections
    #[arg(long, env = "DRAIN_DELAY", value_name = "DRAIN_DELAY", default_value = "5s", value_parser = duration)]
    pub drain_delay: Duration,
    /// Longest time for the requests in flight when the replica leaves
    #[arg(long, env = "DRAIN_TIMEOUT", value_name = "DRAIN_TIMEOUT", default_value = "20s", value_parser = duration)]
    pub drain_timeout: Duration,

    /// Socket.IO connections that one address may hold on this replica
    #[arg(long, env = "SOCKETS_PER_ADDRESS", value_name = "SOCKETS_PER_ADDRESS", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..))]
    pub sockets_per_address: u32,
    /// Socket.IO connections that one account may hold on this replica
    #[arg(long, env = "SOCKETS_PER_USER", value_name = "SOCKETS_PER_USER", default_value = "100", value_parser = clap::value_parser!(u32).range(1..))]
    pub sockets_per_user: u32,
    /// Events that one Socket.IO connection may send in a second; twice as many at once
    #[arg(long, env = "SOCKET_EVENTS_PER_SECOND", value_name = "SOCKET_EVENTS_PER_SECOND", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub socket_events_per_second: u32,
    /// Time between two pings to a Socket.IO connection; a ping also ends a long poll
    #[arg(long, env = "SOCKET_PING_INTERVAL", value_name = "SOCKET_PING_INTERVAL", default_value = "8s", value_parser = limit)]
    pub socket_ping_interval: Duration,
    /// Other origins whose pages may call the service and open Socket.IO connections, comma separated
    #[arg(long, env = "SOCKET_ORIGINS", value_name = "SOCKET_ORIGINS", value_delimiter = ',')]
    pub socket_origins: Vec<Url>,
    /// Time over which a replica that leaves spreads the closing of its Socket.IO connections
    #[arg(long, env = "SOCKET_DRAIN", value_name = "SOCKET_DRAIN", default_value = "3s", value_parser = duration)]
    pub socket_drain: Duration,

    /// A session that is not used for this long ends
    #[arg(long, env = "SESSION_IDLE_TIMEOUT", value_name = "SESSION_IDLE_TIMEOUT", default_value = "7d", value_parser = limit)]
    pub session_idle_timeout: Duration,
    /// A session ends this long after its login
    #[arg(long, env = "SESSION_LIFETIME", value_name = "SESSION_LIFETIME", default_value = "30d", value_parser = limit)]
    pub session_lifetime: Duration,
    /// Failed logins to one account that one device or address may make at once; as many again over each window
    #[arg(long, env = "LOGIN_ATTEMPTS_PER_ACCOUNT", value_name = "LOGIN_ATTEMPTS_PER_ACCOUNT", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub login_attempts_per_account: u32,
    /// Failed logins to one account that all clients it does not know may make at once; over each window no more than one client
    #[arg(long, env = "LOGIN_ATTEMPTS_BY_STRANGERS", value_name = "LOGIN_ATTEMPTS_BY_STRANGERS", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub login_attempts_by_strangers: u32,
    /// Failed logins that one address may make at once, to whatever account; as many again over each window
    #[arg(long, env = "LOGIN_ATTEMPTS_PER_ADDRESS", value_name = "LOGIN_ATTEMPTS_PER_ADDRESS", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub login_attempts_per_address: u32,
    /// Logins of one address that are looked at at the same time
    #[arg(long, env = "LOGINS_AT_ONCE_PER_ADDRESS", value_name = "LOGINS_AT_ONCE_PER_ADDRESS", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub logins_at_once_per_address: u32,
    /// Window over which failed logins are forgotten
    #[arg(long, env = "LOGIN_WINDOW", value_name = "LOGIN_WINDOW", default_value = "15m", value_parser = limit)]
    pub login_window: Duration,
    /// Accounts that one address may try to make in a minute, all of them at once if they come so
    #[arg(long, env = "REGISTRATIONS_PER_MINUTE", value_name = "REGISTRATIONS_PER_MINUTE", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub registrations_per_minute: u32,

    /// What runs environments; sim needs no container engine
    #[arg(long, env = "ENVIRONMENT_DRIVER", value_name = "ENVIRONMENT_DRIVER", default_value = "sim")]
    pub environment_driver: DriverName,
    /// First part of the names of containers; replicas that share a database share it
    #[arg(long, env = "ENVIRONMENT_NAMESPACE", value_name = "ENVIRONMENT_NAMESPACE", default_value = "vitrine")]
    pub environment_namespace: String,
    /// Longest time of one call of the driver; a pull and an installation may take ten times as long
    #[arg(long, env = "ENVIRONMENT_TIMEOUT", value_name = "ENVIRONMENT_TIMEOUT", default_value = "10s", value_parser = limit)]
    pub environment_timeout: Duration,
    /// Environments that a project may have
    #[arg(long, env = "ENVIRONMENTS_PER_PROJECT", value_name = "ENVIRONMENTS_PER_PROJECT", default_value = "20")]
    pub environments_per_project: u32,
    /// Environments that an account may have made and not deleted
    #[arg(long, env = "ENVIRONMENTS_PER_USER", value_name = "ENVIRONMENTS_PER_USER", default_value = "50")]
    pub environments_per_user: u32,
    /// Lines that an environment may write in one second; the rest of that second is dropped
    #[arg(long, env = "LOG_LINES_PER_SECOND", value_name = "LOG_LINES_PER_SECOND", default_value = "5000", value_parser = clap::value_parser!(u32).range(1..))]
    pub log_lines_per_second: u32,
    /// Lines of an environment's log that are kept
    #[arg(long, env = "LOG_LINES_KEPT", value_name = "LOG_LINES_KEPT", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..))]
    pub log_lines_kept: u32,
    /// Socket of the container engine, for the driver docker
    #[arg(long, env = "DOCKER_HOST", value_name = "DOCKER_HOST", default_value = "unix:///var/run/docker.sock")]
    pub docker_host: Url,
    /// Mean time of a call of the driver sim
    #[arg(long, env = "SIM_LATENCY", value_name = "SIM_LATENCY", default_value = "200ms", value_parser = duration)]
    pub sim_latency: Duration,
    /// Share of the calls of the driver sim that fail, 0 to 1
    #[arg(long, env = "SIM_FAILURE_RATE", value_name = "SIM_FAILURE_RATE", default_value = "0.02")]
    pub sim_failure_rate: f64,
    /// Log lines that a container of the driver sim writes in a second, on average
    #[arg(long, env = "SIM_LINES_PER_SECOND", value_name = "SIM_LINES_PER_SECOND", default_value = "1")]
    pub sim_lines_per_second: f64,
    /// Seed of what the driver sim makes up; the same seed makes the same
    #[arg(long, env = "SIM_SEED", value_name = "SIM_SEED", default_value = "1")]
    pub sim_seed: u64,
    /// Background jobs that this replica does at once
    #[arg(long, env = "JOB_WORKERS", value_name = "JOB_WORKERS", default_value = "8", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub job_workers: u32,

    /// File of the platforms that one may sign in by or post on, as TOML; none without one
    #[arg(long, env = "PLATFORMS_FILE", value_name = "PLATFORMS_FILE")]
    pub platforms_file: Option<PathBuf>,
    /// Keys that seal what platforms entrust to us, one a line: 32 random bytes in base64; the first seals, all open (secret)
    #[arg(long, env = "TOKEN_KEYS", value_name = "TOKEN_KEYS", hide_env_values = true)]
    pub token_keys: Option<SecretString>,
    /// Longest time that platforms get within one request
    #[arg(long, env = "PLATFORM_TIMEOUT", value_name = "PLATFORM_TIMEOUT", default_value = "4s", value_parser = limit)]
    pub platform_timeout: Duration,
    /// How long signing in at a platform may take
    #[arg(long, env = "OAUTH_LIFETIME", value_name = "OAUTH_LIFETIME", default_value = "10m", value_parser = limit)]
    pub oauth_lifetime: Duration,
    /// Times that one address may go to platforms or come back in a minute; signing in once takes two
    #[arg(long, env = "OAUTH_PER_MINUTE", value_name = "OAUTH_PER_MINUTE", default_value = "120", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub oauth_per_minute: u32,

    /// Share of the visits whose loading times browsers report, 0 to 1; page views and errors are always reported
    #[arg(long, env = "RUM_SAMPLE", value_name = "RUM_SAMPLE", default_value = "1")]
    pub rum_sample: f64,
    /// Beacons of one address that this replica takes in a minute
    #[arg(long, env = "BEACONS_PER_MINUTE", value_name = "BEACONS_PER_MINUTE", default_value = "300", value_parser = clap::value_parser!(u32).range(1..))]
    pub beacons_per_minute: u32,

    /// Whether admins may make faults on purpose, to try alerts and runbooks; production leaves it off
    #[arg(long, env = "FAULTS", value_name = "FAULTS", default_value = "false", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub faults: bool,

    /// Bearer token that the metrics routes ask for; open without one (secret)
    #[arg(long, env = "METRICS_TOKEN", value_name = "METRICS_TOKEN", hide_env_values = true)]
    pub metrics_token: Option<SecretString>,
    /// What is logged, as tracing directives
    #[arg(long, env = "LOG", value_name = "LOG", default_value = "info")]
    pub log: String,
    /// The shape of log lines
    #[arg(long, env = "LOG_FORMAT", value_name = "LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
}

impl Config {
    /// The checks that span variables or need a value's inside.
    ///
    /// # Errors
    /// A sentence that names the variable and what it wants.
    pub fn check(&self) -> Result<(), String> {
        for (name, url, schemes) in
            [("DATABASE_URL", &self.database_url, ["postgres", "postgresql"]), ("REDIS_URL", &self.redis_url, ["redis", "redis"])]
        {
            let url = Url::parse(url.expose_secret()).map_err(|error| format!("{name} wants a URL: {error}"))?;
            if !schemes.contains(&url.scheme()) {
                return Err(format!("{name} wants a URL that starts with {}://", schemes[0]));
            }
            if self.environment == Environment::Production && url.password().is_some_and(|password| KNOWN_PASSWORDS.contains(&password)) {
                return Err(format!("{name} wants a password of your own in production: this one stands in examples"));
            }
        }
        if self.environment == Environment::Production && self.metrics_token.as_ref().is_some_and(|token| token.expose_secret().len() < 16)
        {
            return Err("METRICS_TOKEN wants at least 16 characters in production".to_owned());
        }
        if !matches!(self.public_url.scheme(), "http" | "https") || self.public_url.host().is_none() {
            return Err("PUBLIC_URL wants an http or https address".to_owned());
        }
        if !self.readiness_requires.contains(&Requirement::Postgres) {
            return Err("READINESS_REQUIRES must include postgres".to_owned());
        }
        let namespace = &self.environment_namespace;
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !namespace.chars().all(is_name) || !namespace.starts_with(|c: char| c.is_ascii_alphanumeric()) || namespace.len() > 40 {
            return Err("ENVIRONMENT_NAMESPACE wants lower-case letters, digits and hyphens, at most 40".to_owned());
        }
        if self.docker_host.scheme() != "unix" {
            return Err("DOCKER_HOST wants a socket such as unix:///var/run/docker.sock".to_owned());
        }
        if !(0.0..=1.0).contains(&self.sim_failure_rate) {
            return Err("SIM_FAILURE_RATE wants 0 to 1".to_owned());
        }
        if !(0.0..=1.0).contains(&self.rum_sample) {
            return Err("RUM_SAMPLE wants 0 to 1".to_owned());
        }
        if !(0.001..=100_000.0).contains(&self.sim_lines_per_second) {
            return Err("SIM_LINES_PER_SECOND wants 0.001 to 100000".to_owned());
        }
        match &self.token_keys {
            Some(keys) => drop(Keyring::parse(keys).map_err(|error| error.to_string())?),
            None if self.platforms_file.is_some() => return Err("TOKEN_KEYS wants a key as soon as there are platforms".to_owned()),
            None => {}
        }
        tracing_subscriber::EnvFilter::try_new(&self.log)
            .map_err(|error| format!("LOG wants tracing directives such as info,vitrine=debug: {error}"))?;
        Ok(())
    }

    /// The same for a program that may run where a replica listens already.
    #[must_use]
    pub fn beside_a_replica(self) -> Self {
        Self { listen_address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..self }
    }

    /// Whether browsers reach the service over TLS.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.public_url.scheme() == "https"
    }
}

/// The command line of `vitrine`: what to do, and the configuration.
#[derive(Parser, Debug)]
#[command(
    name = "vitrine",
    version,
    about = "A studio of dev environments with a public showcase",
    args_conflicts_with_subcommands = false
)]
pub struct Cli {
    /// What to do
    #[arg(value_enum, default_value = "serve")]
    pub verb: Verb,
    /// With `grant-admin`: the account's e-mail
    #[arg(value_name = "EMAIL", required_if_eq("verb", "grant-admin"))]
    pub email: Option<String>,
    /// With `config`: check the variables and say no more
    #[arg(long)]
    pub check: bool,
    /// Every variable
    #[command(flatten)]
    pub config: Config,
}

/// What `vitrine` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Verb {
    /// Answer requests until told to stop
    Serve,
    /// Bring the database's schema up to date and end
    Migrate,
    /// Make the account with an e-mail an admin, and end
    GrantAdmin,
    /// Ask the replica on this machine whether it is ready: exit code 0 or 1
    Healthcheck,
    /// Print the configuration, secrets hidden
    Config,
}

impl Cli {
    /// Reads the command line and the environment, secrets from their files.
    ///
    /// # Errors
    /// What is wrong, with the variable's name; also the text of `--help` and `--version`.
    pub fn read() -> Result<Self, clap::Error> {
        let mut arguments: Vec<String> = std::env::args().collect();
        for name in SECRETS {
            let path = std::env::var(format!("{name}_FILE")).unwrap_or_default();
            if path.is_empty() {
                continue;
            }
            let secret = std::fs::read_to_string(Path::new(&path))
                .map_err(|error| Self::error(&format!("{name}_FILE wants a readable file; {path}: {error}")))?;
            if !secret.trim().is_empty() {
                arguments.push(format!("--{}={}", name.to_lowercase().replace('_', "-"), secret.trim_end()));
            }
        }
        let command: Command = Self::command().mut_args(without_empty_variable);
        let cli = Self::from_arg_matches(&command.try_get_matches_from(arguments)?)?;
        if cli.verb != Verb::GrantAdmin && cli.email.is_some() {
            return Err(Self::error("only grant-admin wants an e-mail"));
        }
        cli.config.check().map_err(|message| Self::error(&message))?;
        Ok(cli)
    }

    fn error(message: &str) -> clap::Error {
        Self::command().error(clap::error::ErrorKind::ValueValidation, message)
    }
}

fn without_empty_variable(arg: Arg) -> Arg {
    let is_empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    if is_empty { arg.env(Resettable::Reset) } else { arg }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("wants a duration such as 500ms, 5s or 7d: {error}"))?;
    if duration > LONGEST { Err("wants at most 10 years".to_owned()) } else { Ok(duration) }
}

/// A limit of no time at all would refuse everything, or, to Postgres, nothing.
fn limit(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|limit| if limit.is_zero() { Err("wants more than no time".to_owned()) } else { Ok(limit) })
}
