//! Builds the service from its parts, and runs it. `main` and the tests call this module.

use std::error::Error;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::cache::{Cache, RedisClient};
use crate::config::{Config, Environment};
use crate::db::{self, Db};
use crate::demo;
use crate::fault_injection::FaultInjector;
use crate::features::accounts::{self, AccountLimits, Accounts, sign_out_ended};
use crate::features::deletion::{self, Deletion};
use crate::features::environments::driver::Engine;
use crate::features::environments::logs::Follower;
use crate::features::environments::{self, Environments, watch_engine};
use crate::features::faults::Faults;
use crate::features::log_levels::LogLevels;
use crate::features::oauth::{self, Oauth};
use crate::features::posts::{self, Posts};
use crate::features::projects::{self, Projects};
use crate::features::visits::Visits;
use crate::fleet::Fleet;
use crate::health::Health;
use crate::heartbeat::Heartbeat;
use crate::jobs::{Queue, Workers};
use crate::mail::Mailer;
use crate::metrics::exporter::Exporter;
use crate::metrics::labels::Dependency;
use crate::metrics::samplers;
use crate::platforms::Platforms;
use crate::realtime::Realtime;
use crate::sealing::Keyring;
use crate::server::{self, Limits};
use crate::state::{AppState, Parts};
use crate::tasks::Tasks;
use crate::tools::Tools;
use crate::{router, telemetry};

/// Maximum number of mails that a replica sends at the same time. Mails have workers of their own, so that a mail server that does not
/// answer delays no other job.
const MAIL_WORKERS: usize = 2;

/// An error that ends the service or prevents its start.
pub type AppError = Box<dyn Error + Send + Sync>;

/// A service that is built but not running yet.
pub struct App {
    listener: StdListener,
    router: Router,
    background: Background,
}

/// The parts that run in background tasks, and the state.
struct Background {
    redis: RedisClient,
    cache: Cache,
    engine: Engine,
    workers: Workers,
    mail_workers: Workers,
    fleet: Fleet,
    follower: Follower,
    state: AppState,
}

impl App {
    /// Builds the service. Postgres and Redis may be unavailable: the running service becomes ready once the dependencies that
    /// `READINESS_REQUIRES` names are available and the schema is migrated.
    ///
    /// # Errors
    /// When the configuration is invalid, or the service cannot listen on its address.
    pub fn build(config: Config) -> Result<Self, AppError> {
        Self::build_with(config, router::routes())
    }

    /// As [`Self::build`], with the given routes instead of the service's own.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_with(config: Config, interface: OpenApiRouter<AppState>) -> Result<Self, AppError> {
        let config = Arc::new(config);
        let exporter = Exporter::default();
        let metrics = exporter.metrics();
        telemetry::watch_panics(&metrics);
        let listener = StdListener::bind(config.listen_address)?;
        listener.set_nonblocking(true)?;
        let injector = if config.faults { FaultInjector::new(config.replica.clone(), metrics.clone()) } else { FaultInjector::default() };
        let db = Db::new(&config, metrics.clone())?.with_faults(injector.clone());
        let redis = RedisClient::new(&config, metrics.clone())?;
        let realtime = Realtime::new(&config, redis.clone(), injector.clone(), metrics.clone())?;
        let cache = Cache::new(redis.clone(), db.clone(), &config.redis_key_prefix, metrics.clone());
        let (queue, mails) = (Queue::default(), Queue::default());
        // All background work, of the features and of the driver, shares this client. The client uses at most half of the connections, so
        // the other half is left to requests.
        let background = db.for_background();
        let mailer = config.mail_server()?.map(|settings| Mailer::new(settings, &config.public_url, metrics.clone()));
        let parts = accounts::Parts {
            db: db.clone(),
            background: background.clone(),
            cache: cache.clone(),
            attempts: AccountLimits::new(&redis, &config, &metrics)?,
            realtime: realtime.clone(),
            mailer,
            keys: config.token_keys.as_ref().map(Keyring::parse).transpose()?,
            queue: mails.clone(),
            public_url: config.public_url.clone(),
            faults: injector.clone(),
            metrics: metrics.clone(),
        };
        let accounts = Accounts::new(parts, &config)?;
        let platforms = Platforms::of(&config, &metrics)?;
        let parts = oauth::Parts {
            db: db.clone(),
            background: background.clone(),
            accounts: accounts.clone(),
            platforms: platforms.clone(),
            queue: queue.clone(),
            metrics: metrics.clone(),
        };
        let oauth = Oauth::new(parts, &config)?;
        let projects = Projects::new(projects::Parts {
            db: db.clone(),
            cache: cache.clone(),
            accounts: accounts.clone(),
            realtime: realtime.clone(),
            metrics: metrics.clone(),
        });
        let engine = Engine::of(&config, &background, injector.clone(), metrics.clone())?;
        let parts = environments::Parts {
            db: db.clone(),
            background: background.clone(),
            engine: engine.clone(),
            projects: projects.clone(),
            queue: queue.clone(),
            realtime: realtime.clone(),
            metrics: metrics.clone(),
        };
        let environments = Environments::new(parts, &config);
        let posts = Posts::new(posts::Parts {
            db: db.clone(),
            background,
            cache: cache.clone(),
            projects: projects.clone(),
            oauth: oauth.clone(),
            platforms,
            queue: queue.clone(),
            public_url: config.public_url.clone(),
            realtime: realtime.clone(),
            metrics: metrics.clone(),
        });
        let deletion = deletion_of(&db, &accounts, &oauth, &projects, &environments);
        let handlers = [environments.handlers(), oauth.handlers(), posts.handlers()].into_iter().flatten().collect();
        let workers = Workers::new(queue, db.clone(), config.job_workers as usize, handlers, metrics.clone());
        let mail_workers = Workers::new(mails, db.clone(), MAIL_WORKERS, accounts.handlers(), metrics.clone());
        let health = Health::new(engine.name(), &config.readiness_requires, metrics.clone());
        let heartbeat = Heartbeat::new(config.replica.clone(), realtime.clone(), health.clone());
        let interface = router::with_faults(interface, config.faults);
        let faults = config.faults.then(|| Faults::new(db.clone(), injector, router::templates(&interface)));
        let fleet = Fleet::new(db.clone(), accounts.clone(), oauth.clone(), environments.clone(), health.clone(), metrics.clone());
        let follower = environments.follower(&config);
        let state = AppState::from(Parts {
            log_levels: LogLevels::new(config.log.clone(), realtime.clone()),
            tools: Tools::new(config.tools.clone()),
            visits: Visits::new(config.beacons_per_minute, metrics.clone()),
            config,
            metrics,
            exporter,
            db,
            realtime,
            health,
            accounts,
            oauth,
            projects,
            environments,
            posts,
            deletion,
            faults,
            heartbeat,
        });
        let router = router::build(interface, state.clone())?;
        Ok(Self { listener, router, background: Background { redis, cache, engine, workers, mail_workers, fleet, follower, state } })
    }

    /// The address on which the service listens. For port 0, it contains the port that the operating system chose.
    ///
    /// # Errors
    /// When the operating system cannot return the address.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The state that handlers receive.
    #[must_use]
    pub fn state(&self) -> &AppState {
        &self.background.state
    }

    /// Migrates the schema, without serving.
    ///
    /// # Errors
    /// When the database is unavailable or a migration fails.
    pub async fn migrate(self) -> Result<(), AppError> {
        let result = self.background.state.db.migrate(|_| ()).await;
        result.map_err(|error| match db::cause(&error) {
            Some(cause) => cause.sentence(Dependency::Postgres).into(),
            None => error.into(),
        })
    }

    /// Makes the account with this e-mail an admin. Once this returns, every replica treats the account as an admin.
    ///
    /// # Errors
    /// When no account has this e-mail, or the database is unavailable.
    pub async fn grant_admin(self, email: &str) -> Result<(), AppError> {
        let Background { redis, state, .. } = self.background;
        // Needed to remove the account's cached entries.
        redis.connect().await;
        if state.accounts.grant_admin(email).await? { Ok(()) } else { Err(format!("no account has the e-mail {email}").into()) }
    }

    /// Adds the demo data, unless `DEMO_DATA` is off. With `unless_production`, changes nothing in production.
    ///
    /// # Errors
    /// In production without `unless_production`, and when the database is unavailable or not migrated.
    pub async fn seed(self, unless_production: bool) -> Result<(), AppError> {
        let Background { redis, state, .. } = self.background;
        let Config { demo_data, environment, .. } = *state.config;
        if !demo_data || (unless_production && environment == Environment::Production) {
            tracing::info!("no demo data in this environment, nothing changed");
            return Ok(());
        }
        // Needed to remove the cached first page of the showcase.
        redis.connect().await;
        demo::seed(&state).await?;
        Ok(())
    }

    /// Runs until `stop` completes, then shuts down gracefully; see [`shutdown`](crate::shutdown).
    ///
    /// # Errors
    /// When the runtime cannot take over the listener, or a background task or the server ends before `stop` completes.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        let Self { listener, router, background } = self;
        let Parts { config, metrics, .. } = &*background.state;
        let listener = TcpListener::from_std(listener)?;
        tracing::info!(address = %listener.local_addr()?, replica = config.replica, "listening");
        let mut tasks = background.spawn_tasks();
        let limits = Limits {
            connections: config.max_connections as usize,
            header_timeout: config.header_timeout,
            write_timeout: config.write_timeout,
            drain_timeout: config.drain_timeout,
        };
        let stop_accepting = CancellationToken::new();
        let mut server = tokio::spawn(server::serve(listener, router, limits, metrics.clone(), stop_accepting.clone()));
        let (failure, server) = tokio::select! {
            () = stop => (None, Some(server)),
            failure = tasks.failed() => (Some(failure), Some(server)),
            ended = &mut server => (Some(tasks.lost("server", ended.err())), None),
        };
        background.shut_down(server, &stop_accepting, tasks).await;
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    }
}

impl Background {
    /// Starts the tasks that run until the replica shuts down.
    fn spawn_tasks(&self) -> Tasks {
        let Self { redis, cache, engine, workers, mail_workers, fleet, follower, state } = self;
        let Parts { metrics, exporter, db, realtime, health, accounts, projects, environments, faults, log_levels, heartbeat, .. } =
            &**state;
        let mut tasks = Tasks::new(metrics.clone());
        tasks.spawn("metrics upkeep", exporter.clone().upkeep());
        tasks.spawn("scheduling delay", samplers::runtime::probe_delay(metrics.clone()));
        tasks.spawn("runtime metrics", samplers::runtime::read_figures(metrics.clone()));
        tasks.spawn("pool metrics", db.clone().sample());
        tasks.spawn("redis", redis.clone().keep_connected());
        tasks.spawn("invalidations", after_migration(health, cache.clone().follow()));
        tasks.spawn("notifications", after_migration(health, cache.clone().listen()));
        tasks.spawn("realtime", realtime.clone().run());
        tasks.spawn("heartbeat", heartbeat.clone().beat());
        tasks.spawn("ended sessions", sign_out_ended(accounts.clone(), realtime.clone()));
        tasks.spawn("presence", projects.presence().clone().share());
        tasks.spawn("project subscriptions", projects::watch_access(projects.clone(), realtime.clone()));
        tasks.spawn("environment subscriptions", environments::end_subscriptions(environments.clone(), realtime.clone()));
        tasks.spawn("log signals", environments.receive_log_signals());
        tasks.spawn("log levels", log_levels.clone().follow());
        tasks.spawn("telemetry", telemetry::export(metrics.clone()));
        tasks.spawn("health", health.clone().watch(db.clone(), redis.clone()));
        tasks.spawn("fleet", fleet.clone().lead());
        tasks.spawn("environment driver", watch_engine(engine.clone(), health.clone()));
        tasks.spawn("jobs", after_migration(health, workers.clone().work()));
        tasks.spawn("mails", after_migration(health, mail_workers.clone().work()));
        if let Some(faults) = faults {
            tracing::warn!("fault injection is enabled");
            tasks.spawn("fault injection", after_migration(health, faults.clone().watch()));
        }
        tasks.spawn("log followers", after_migration(health, follower.clone().follow()));
        tasks
    }

    /// Shuts the replica down in the order that [`shutdown`](crate::shutdown) describes. `server` is `None` if it has already ended.
    async fn shut_down(&self, server: Option<JoinHandle<bool>>, stop_accepting: &CancellationToken, tasks: Tasks) {
        let Self { cache, workers, mail_workers, fleet, follower, state, .. } = self;
        let Parts { config, db, realtime, health, .. } = &**state;
        health.drain();
        fleet.resign().await;
        tokio::time::sleep(config.drain_delay).await;
        stop_accepting.cancel();
        let last_requests = async {
            match server {
                Some(server) => server.await.unwrap_or(false),
                None => false,
            }
        };
        // These steps run at the same time for two reasons: a Socket.IO long poll is a request that ends only when its client is
        // disconnected, and the time limits of requests and of jobs must not add up.
        let jobs = async { tokio::join!(workers.leave(config.drain_timeout), mail_workers.leave(config.drain_timeout)) };
        let (finished, (), _) = tokio::join!(last_requests, realtime.drain(config.socket_drain), jobs);
        follower.leave().await;
        telemetry::flush().await;
        tasks.end().await;
        cache.leave().await;
        db.close().await;
        tracing::info!(finished, "shutdown complete");
    }
}

fn deletion_of(db: &Db, accounts: &Accounts, oauth: &Oauth, projects: &Projects, environments: &Environments) -> Deletion {
    Deletion::new(deletion::Parts {
        db: db.clone(),
        accounts: accounts.clone(),
        oauth: oauth.clone(),
        projects: projects.clone(),
        environments: environments.clone(),
    })
}

/// Runs a task after the schema is migrated, because the task needs the tables.
fn after_migration(health: &Health, task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send + 'static {
    let health = health.clone();
    async move {
        health.migrated().await;
        task.await;
    }
}
