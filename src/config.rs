//! Configuration: every variable with its type, default, unit and effect. `vitrine config` prints the values.
//!
//! Error messages name the variable and its requirement, never the value of a secret. `command_line` reads the variables; `values` and
//! `tools` define their types; `stores` has the rules for Postgres and Redis.

mod command_line;
mod stores;
mod tools;
mod values;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use self::command_line::{Cli, Verb};
pub use self::stores::{PasswordFile, authorities};
pub use self::tools::{Tool, ToolAddress, ToolUrls};
pub use self::values::{Environment, LogFormat, LogsExporter, Networks, Requirement};
use self::values::{duration, limit, platform_limit, statement_limit};
use crate::domain::DriverName;
use crate::mail;
use crate::sealing::Keyring;
use crate::telemetry::levels;

/// The configuration of a replica.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is the switch of one variable")]
pub struct Config {
    /// Where the service runs; production rejects unsafe settings
    #[arg(long, env = "ENVIRONMENT", value_name = "ENVIRONMENT", default_value = "development")]
    pub environment: Environment,
    /// Address and port to listen on; port 0 selects a free port
    #[arg(long, env = "LISTEN_ADDRESS", value_name = "LISTEN_ADDRESS", default_value = "127.0.0.1:4001")]
    pub listen_address: SocketAddr,
    /// Name of this replica, sent in the `x-served-by` header; `@hostname` for the name of the machine
    #[arg(long, env = "REPLICA", value_name = "REPLICA", default_value = "backend-1")]
    pub replica: String,
    /// URL under which browsers reach the service; https makes cookies Secure
    #[arg(long, env = "PUBLIC_URL", value_name = "PUBLIC_URL", default_value = "http://localhost:8080")]
    pub public_url: Url,
    /// Networks of proxies whose X-Forwarded-For header is trusted, comma-separated; `none` to trust no proxy
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "TRUSTED_PROXIES", default_value = "127.0.0.0/8,::1/128")]
    pub trusted_proxies: Networks,
    /// Dependencies that must be up before the replica is ready, comma-separated; must include postgres
    #[arg(
        long,
        env = "READINESS_REQUIRES",
        value_name = "READINESS_REQUIRES",
        value_enum,
        value_delimiter = ',',
        default_value = "postgres"
    )]
    pub readiness_requires: Vec<Requirement>,

    /// Postgres URL, such as postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=ca.pem (secret)
    #[arg(long, env = "DATABASE_URL", value_name = "DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// URL of Postgres itself, if `DATABASE_URL` leads to a pooler in transaction mode; for migrations and notifications (secret)
    #[arg(long, env = "DATABASE_DIRECT_URL", value_name = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub database_direct_url: Option<SecretString>,
    /// File with the password of Postgres, read again when Postgres refuses it; the URLs must then have none
    #[arg(long, env = "DATABASE_PASSWORD_FILE", value_name = "DATABASE_PASSWORD_FILE")]
    pub database_password_file: Option<PathBuf>,
    /// Maximum number of Postgres connections in the pool of this replica
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", value_name = "DATABASE_MAX_CONNECTIONS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub database_max_connections: u32,
    /// Maximum wait for a connection of the pool
    #[arg(long, env = "DATABASE_ACQUIRE_TIMEOUT", value_name = "DATABASE_ACQUIRE_TIMEOUT", default_value = "1s", value_parser = limit)]
    pub database_acquire_timeout: Duration,
    /// Maximum duration of a statement, enforced by Postgres
    #[arg(long, env = "DATABASE_STATEMENT_TIMEOUT", value_name = "DATABASE_STATEMENT_TIMEOUT", default_value = "1500ms", value_parser = statement_limit)]
    pub database_statement_timeout: Duration,

    /// Redis URL, such as redis://user:password@host:port/number, or rediss:// for TLS (secret)
    #[arg(long, env = "REDIS_URL", value_name = "REDIS_URL", hide_env_values = true)]
    pub redis_url: SecretString,
    /// PEM file with the authorities that may sign the certificate of Redis; if unset, those that browsers trust
    #[arg(long, env = "REDIS_CA_FILE", value_name = "REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
    /// File with the password of Redis, read again for each connection; the URL must then have none
    #[arg(long, env = "REDIS_PASSWORD_FILE", value_name = "REDIS_PASSWORD_FILE")]
    pub redis_password_file: Option<PathBuf>,
    /// Prefix of all Redis keys
    #[arg(long, env = "REDIS_KEY_PREFIX", value_name = "REDIS_KEY_PREFIX", default_value = "vitrine")]
    pub redis_key_prefix: String,
    /// Maximum duration of a Redis command
    #[arg(long, env = "REDIS_TIMEOUT", value_name = "REDIS_TIMEOUT", default_value = "250ms", value_parser = limit)]
    pub redis_timeout: Duration,

    /// Maximum time from the head of a request to the head of its response
    #[arg(long, env = "REQUEST_TIMEOUT", value_name = "REQUEST_TIMEOUT", default_value = "10s", value_parser = limit)]
    pub request_timeout: Duration,
    /// Maximum time of a request from the edge to the replica, whose clocks must agree; after 1 s of late requests, they are refused
    #[arg(long, env = "QUEUE_LIMIT", value_name = "QUEUE_LIMIT", default_value = "150ms", value_parser = limit)]
    pub queue_limit: Duration,
    /// Maximum time for a client to send the head of a request; also the maximum time that a connection may be idle
    #[arg(long, env = "HEADER_TIMEOUT", value_name = "HEADER_TIMEOUT", default_value = "15s", value_parser = limit)]
    pub header_timeout: Duration,
    /// Maximum time without progress while a client receives a response
    #[arg(long, env = "WRITE_TIMEOUT", value_name = "WRITE_TIMEOUT", default_value = "30s", value_parser = limit)]
    pub write_timeout: Duration,
    /// Maximum size of a request body in bytes
    #[arg(long, env = "BODY_LIMIT", value_name = "BODY_LIMIT", default_value = "1048576")]
    pub body_limit: usize,
    /// Maximum number of concurrent TCP connections; further ones wait in the kernel's queue
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "MAX_CONNECTIONS", default_value = "8192", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections: u32,
    /// Time at shutdown during which the replica still accepts connections, but reports that it is not ready
    #[arg(long, env = "DRAIN_DELAY", value_name = "DRAIN_DELAY", default_value = "5s", value_parser = duration)]
    pub drain_delay: Duration,
    /// Maximum time for requests in flight and running jobs when the replica shuts down
    #[arg(long, env = "DRAIN_TIMEOUT", value_name = "DRAIN_TIMEOUT", default_value = "20s", value_parser = duration)]
    pub drain_timeout: Duration,

    /// Maximum number of Socket.IO connections per address (IPv6: per /64 network) on this replica
    #[arg(long, env = "SOCKETS_PER_ADDRESS", value_name = "SOCKETS_PER_ADDRESS", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..))]
    pub sockets_per_address: u32,
    /// Maximum number of Socket.IO connections per account on this replica
    #[arg(long, env = "SOCKETS_PER_USER", value_name = "SOCKETS_PER_USER", default_value = "100", value_parser = clap::value_parser!(u32).range(1..))]
    pub sockets_per_user: u32,
    /// Maximum number of events per second from one Socket.IO connection; a burst may have twice as many
    #[arg(long, env = "SOCKET_EVENTS_PER_SECOND", value_name = "SOCKET_EVENTS_PER_SECOND", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub socket_events_per_second: u32,
    /// Interval of pings to a Socket.IO connection; a ping also ends a long poll
    #[arg(long, env = "SOCKET_PING_INTERVAL", value_name = "SOCKET_PING_INTERVAL", default_value = "8s", value_parser = limit)]
    pub socket_ping_interval: Duration,
    /// Additional origins whose pages may call the service and open Socket.IO connections, comma-separated
    #[arg(long, env = "SOCKET_ORIGINS", value_name = "SOCKET_ORIGINS", value_delimiter = ',')]
    pub socket_origins: Vec<Url>,
    /// Time over which a replica that shuts down closes its Socket.IO connections
    #[arg(long, env = "SOCKET_DRAIN", value_name = "SOCKET_DRAIN", default_value = "3s", value_parser = duration)]
    pub socket_drain: Duration,

    /// Time without use after which a session ends
    #[arg(long, env = "SESSION_IDLE_TIMEOUT", value_name = "SESSION_IDLE_TIMEOUT", default_value = "7d", value_parser = limit)]
    pub session_idle_timeout: Duration,
    /// Maximum lifetime of a session, counted from its login
    #[arg(long, env = "SESSION_LIFETIME", value_name = "SESSION_LIFETIME", default_value = "30d", value_parser = limit)]
    pub session_lifetime: Duration,
    /// Allowance of failed logins to one account from one device or address (IPv6: /64 network); refills over `LOGIN_WINDOW`
    #[arg(long, env = "LOGIN_ATTEMPTS_PER_ACCOUNT", value_name = "LOGIN_ATTEMPTS_PER_ACCOUNT", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub login_attempts_per_account: u32,
    /// Allowance of failed logins to one account from all unknown clients together; refills as fast as `LOGIN_ATTEMPTS_PER_ACCOUNT`
    #[arg(long, env = "LOGIN_ATTEMPTS_BY_STRANGERS", value_name = "LOGIN_ATTEMPTS_BY_STRANGERS", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub login_attempts_by_strangers: u32,
    /// Allowance of failed logins from one address (IPv6: /64 network), except from known devices; refills over `LOGIN_WINDOW`
    #[arg(long, env = "LOGIN_ATTEMPTS_PER_ADDRESS", value_name = "LOGIN_ATTEMPTS_PER_ADDRESS", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub login_attempts_per_address: u32,
    /// Maximum number of concurrent logins from one address (IPv6: /64 network)
    #[arg(long, env = "LOGINS_AT_ONCE_PER_ADDRESS", value_name = "LOGINS_AT_ONCE_PER_ADDRESS", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub logins_at_once_per_address: u32,
    /// Time in which `LOGIN_ATTEMPTS_PER_ACCOUNT` and `LOGIN_ATTEMPTS_PER_ADDRESS` refill completely
    #[arg(long, env = "LOGIN_WINDOW", value_name = "LOGIN_WINDOW", default_value = "15m", value_parser = limit)]
    pub login_window: Duration,
    /// Maximum number of registration attempts per minute from one address (IPv6: /64 network), and of mails requested; all may come at once
    #[arg(long, env = "REGISTRATIONS_PER_MINUTE", value_name = "REGISTRATIONS_PER_MINUTE", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub registrations_per_minute: u32,

    /// URL of the mail server, such as `smtp://host:25` or `smtps://user:password@host`; if unset, no mail is sent (secret)
    #[arg(long, env = "SMTP_URL", value_name = "SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<SecretString>,
    /// Sender of mails
    #[arg(long, env = "MAIL_FROM", value_name = "MAIL_FROM", default_value = "Vitrine <vitrine@vitrine.example>")]
    pub mail_from: String,
    /// Allowance of mails to one account that one client may request, or all unknown clients together; refills over an hour
    #[arg(long, env = "MAILS_PER_HOUR", value_name = "MAILS_PER_HOUR", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub mails_per_hour: u32,

    /// Driver that runs environments; sim needs no container engine
    #[arg(long, env = "ENVIRONMENT_DRIVER", value_name = "ENVIRONMENT_DRIVER", default_value = "sim")]
    pub environment_driver: DriverName,
    /// Prefix of container names; must be the same for replicas that share a database
    #[arg(long, env = "ENVIRONMENT_NAMESPACE", value_name = "ENVIRONMENT_NAMESPACE", default_value = "vitrine")]
    pub environment_namespace: String,
    /// Maximum duration of a driver call; a pull or an installation may take ten times as long
    #[arg(long, env = "ENVIRONMENT_TIMEOUT", value_name = "ENVIRONMENT_TIMEOUT", default_value = "10s", value_parser = limit)]
    pub environment_timeout: Duration,
    /// Maximum number of environments per project
    #[arg(long, env = "ENVIRONMENTS_PER_PROJECT", value_name = "ENVIRONMENTS_PER_PROJECT", default_value = "20")]
    pub environments_per_project: u32,
    /// Maximum number of environments created by one account; deleted environments do not count
    #[arg(long, env = "ENVIRONMENTS_PER_USER", value_name = "ENVIRONMENTS_PER_USER", default_value = "50")]
    pub environments_per_user: u32,
    /// Maximum number of log lines per second from one environment; excess lines of that second are dropped
    #[arg(long, env = "LOG_LINES_PER_SECOND", value_name = "LOG_LINES_PER_SECOND", default_value = "5000", value_parser = clap::value_parser!(u32).range(1..))]
    pub log_lines_per_second: u32,
    /// Number of log lines to keep per environment
    #[arg(long, env = "LOG_LINES_KEPT", value_name = "LOG_LINES_KEPT", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..))]
    pub log_lines_kept: u32,
    /// Socket of the container engine, for the docker driver
    #[arg(long, env = "DOCKER_HOST", value_name = "DOCKER_HOST", default_value = "unix:///var/run/docker.sock")]
    pub docker_host: Url,
    /// Mean duration of a call to the sim driver
    #[arg(long, env = "SIM_LATENCY", value_name = "SIM_LATENCY", default_value = "200ms", value_parser = duration)]
    pub sim_latency: Duration,
    /// Share of calls to the sim driver that fail, 0 to 1
    #[arg(long, env = "SIM_FAILURE_RATE", value_name = "SIM_FAILURE_RATE", default_value = "0.02")]
    pub sim_failure_rate: f64,
    /// Mean number of log lines per second from a container of the sim driver
    #[arg(long, env = "SIM_LINES_PER_SECOND", value_name = "SIM_LINES_PER_SECOND", default_value = "1")]
    pub sim_lines_per_second: f64,
    /// Random seed for the delays, failures and log lines of the sim driver
    #[arg(long, env = "SIM_SEED", value_name = "SIM_SEED", default_value = "1")]
    pub sim_seed: u64,
    /// Maximum number of background jobs that this replica runs concurrently
    #[arg(long, env = "JOB_WORKERS", value_name = "JOB_WORKERS", default_value = "8", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub job_workers: u32,

    /// TOML file that configures the platforms for sign-in and posts; if unset, there are no platforms
    #[arg(long, env = "PLATFORMS_FILE", value_name = "PLATFORMS_FILE")]
    pub platforms_file: Option<PathBuf>,
    /// Keys for platform tokens and some cookies, one per line: 32 random bytes in base64; the first encrypts, all decrypt (secret)
    #[arg(long, env = "TOKEN_KEYS", value_name = "TOKEN_KEYS", hide_env_values = true)]
    pub token_keys: Option<SecretString>,
    /// Maximum time for all platform calls of one request, at most 15s
    #[arg(long, env = "PLATFORM_TIMEOUT", value_name = "PLATFORM_TIMEOUT", default_value = "4s", value_parser = platform_limit)]
    pub platform_timeout: Duration,
    /// Maximum duration of a sign-in with a platform
    #[arg(long, env = "OAUTH_LIFETIME", value_name = "OAUTH_LIFETIME", default_value = "10m", value_parser = limit)]
    pub oauth_lifetime: Duration,
    /// Maximum number of redirects to and from platforms per minute for one address (IPv6: /64 network); a sign-in takes two
    #[arg(long, env = "OAUTH_PER_MINUTE", value_name = "OAUTH_PER_MINUTE", default_value = "120", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub oauth_per_minute: u32,

    /// Share of page loads for which browsers report timings, 0 to 1; page views and errors are always reported
    #[arg(long, env = "RUM_SAMPLE", value_name = "RUM_SAMPLE", default_value = "1")]
    pub rum_sample: f64,
    /// Maximum number of beacons per minute from one address (IPv6: /64 network) to this replica
    #[arg(long, env = "BEACONS_PER_MINUTE", value_name = "BEACONS_PER_MINUTE", default_value = "300", value_parser = clap::value_parser!(u32).range(1..))]
    pub beacons_per_minute: u32,

    /// Whether open pages reload themselves when the replica has restarted, for development; production refuses it
    #[arg(long, env = "RELOAD_PAGES", value_name = "RELOAD_PAGES", default_value = "false", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub reload_pages: bool,

    /// Whether admins may inject faults, to exercise alerts and runbooks; leave it off in production
    #[arg(long, env = "FAULTS", value_name = "FAULTS", default_value = "false", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub faults: bool,

    /// Whether `vitrine seed` adds demo projects to the showcase; production refuses them
    #[arg(long, env = "DEMO_DATA", value_name = "DEMO_DATA", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub demo_data: bool,
    /// Whether the stack sends demo traffic; the operator's page shows this value, which starts or stops no traffic
    #[arg(long, env = "DEMO_TRAFFIC", value_name = "DEMO_TRAFFIC", default_value = "false", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub demo_traffic: bool,
    /// The tools for operators.
    #[command(flatten)]
    pub tools: ToolUrls,

    /// Bearer token that the metrics routes require; if unset, these routes are open (secret)
    #[arg(long, env = "METRICS_TOKEN", value_name = "METRICS_TOKEN", hide_env_values = true)]
    pub metrics_token: Option<SecretString>,
    /// Levels of log lines: one for everything, and one for each target, such as `info,vitrine::jobs=debug`
    #[arg(long, env = "LOG", value_name = "LOG", default_value = "info")]
    pub log: String,
    /// Format of log lines
    #[arg(long, env = "LOG_FORMAT", value_name = "LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
    /// Share of requests with an access line in the log, 0 to 1
    #[arg(long, env = "ACCESS_LOG_SAMPLE", value_name = "ACCESS_LOG_SAMPLE", default_value = "0")]
    pub access_log_sample: f64,
    /// Duration from which on a request is slow, so that it has a line in the log and its trace is kept
    #[arg(long, env = "SLOW_REQUEST", value_name = "SLOW_REQUEST", default_value = "500ms", value_parser = limit)]
    pub slow_request: Duration,

    /// OTLP endpoint that receives traces and log lines over HTTP, such as `http://collector:4318`; if unset, there are no traces
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otel_exporter_otlp_endpoint: Option<Url>,
    /// Where log lines go besides standard output: nowhere, or to `OTEL_EXPORTER_OTLP_ENDPOINT`
    #[arg(long, env = "OTEL_LOGS_EXPORTER", value_name = "OTEL_LOGS_EXPORTER", default_value = "none")]
    pub otel_logs_exporter: LogsExporter,
    /// Name of the service in traces and exported log lines
    #[arg(long, env = "OTEL_SERVICE_NAME", value_name = "OTEL_SERVICE_NAME", default_value = "vitrine")]
    pub otel_service_name: String,
    /// Share of traces to keep, 0 to 1; failures and slow requests are always kept
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", value_name = "OTEL_TRACES_SAMPLER_ARG", default_value = "0.1")]
    pub otel_traces_sampler_arg: f64,
}

impl Config {
    /// Validates combinations of variables, and rules that the types of single values do not check.
    ///
    /// # Errors
    /// A message that names the variable and its requirement.
    pub fn check(&self) -> Result<(), String> {
        self.check_stores()?;
        if self.environment == Environment::Production && self.metrics_token.as_ref().is_some_and(|token| token.expose_secret().len() < 16)
        {
            return Err("METRICS_TOKEN must be at least 16 characters in production".to_owned());
        }
        if self.environment == Environment::Production && self.reload_pages {
            return Err("RELOAD_PAGES must be off in production".to_owned());
        }
        if !matches!(self.public_url.scheme(), "http" | "https") || self.public_url.host().is_none() {
            return Err("PUBLIC_URL must be an http or https URL".to_owned());
        }
        self.tools.check()?;
        if !self.readiness_requires.contains(&Requirement::Postgres) {
            return Err("READINESS_REQUIRES must include postgres".to_owned());
        }
        let namespace = &self.environment_namespace;
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !namespace.chars().all(is_name) || !namespace.starts_with(|c: char| c.is_ascii_alphanumeric()) || namespace.len() > 40 {
            return Err(
                "ENVIRONMENT_NAMESPACE must be at most 40 lower-case letters, digits and hyphens, not starting with a hyphen".to_owned()
            );
        }
        if self.docker_host.scheme() != "unix" {
            return Err("DOCKER_HOST must be a socket such as unix:///var/run/docker.sock".to_owned());
        }
        if !(0.0..=1.0).contains(&self.sim_failure_rate) {
            return Err("SIM_FAILURE_RATE must be 0 to 1".to_owned());
        }
        if !(0.0..=1.0).contains(&self.rum_sample) {
            return Err("RUM_SAMPLE must be 0 to 1".to_owned());
        }
        for (name, share) in [("ACCESS_LOG_SAMPLE", self.access_log_sample), ("OTEL_TRACES_SAMPLER_ARG", self.otel_traces_sampler_arg)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("{name} must be 0 to 1"));
            }
        }
        let is_endpoint = |url: &Url| matches!(url.scheme(), "http" | "https") && url.password().is_none() && url.username().is_empty();
        if !self.otel_exporter_otlp_endpoint.as_ref().is_none_or(is_endpoint) {
            return Err("OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL without credentials".to_owned());
        }
        if self.otel_logs_exporter == LogsExporter::Otlp && self.otel_exporter_otlp_endpoint.is_none() {
            return Err("OTEL_LOGS_EXPORTER must be none unless OTEL_EXPORTER_OTLP_ENDPOINT is set".to_owned());
        }
        if !(0.001..=100_000.0).contains(&self.sim_lines_per_second) {
            return Err("SIM_LINES_PER_SECOND must be 0.001 to 100000".to_owned());
        }
        self.mail_server()?;
        match &self.token_keys {
            Some(keys) => drop(Keyring::parse(keys).map_err(|error| error.to_string())?),
            None if self.platforms_file.is_some() => return Err("TOKEN_KEYS must contain a key if PLATFORMS_FILE is set".to_owned()),
            None => {}
        }
        levels::parse(&self.log).map_err(|requirement| format!("LOG must be {requirement}"))?;
        Ok(())
    }

    /// The mail server, if there is one.
    ///
    /// # Errors
    /// A message that names the variable and its requirement.
    pub fn mail_server(&self) -> Result<Option<mail::Settings>, String> {
        self.smtp_url.as_ref().map(|url| mail::Settings::parse(url, &self.mail_from)).transpose()
    }

    /// This configuration with a free local port to listen on, for a command that runs next to a replica.
    #[must_use]
    pub fn beside_a_replica(self) -> Self {
        Self { listen_address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..self }
    }

    /// Whether browsers reach the service over TLS. Only then can cookies be Secure.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.public_url.scheme() == "https"
    }
}
