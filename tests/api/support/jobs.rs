//! Replicas that only run jobs: each with its own runtime, pool and metrics, so that it can be killed and frozen.

use std::ops::Deref;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, Semaphore};
use vitrine::db::{Conn, Db, StoreError};
use vitrine::jobs::{Failure, Handler, Job, LeasePolicy, NewJob, Queue, Workers};
use vitrine::metrics::exporter::Exporter;
use vitrine::metrics::labels::{JobKind, Query};

use super::app::{configuration, through};
use super::{Mode, Proxy, Scrape, Stores, eventually, when};

/// The context of a test's handler.
pub struct Work {
    pub job: Job,
    pub name: String,
    pub db: Db,
    pub queue: Queue,
}

impl Work {
    /// Begins a transaction and writes the effect, without completing the job.
    pub async fn begin(&self) -> Result<Conn, Failure> {
        let mut tx = self.db.begin().await?;
        let insert = "INSERT INTO effects (name, attempt)
                      VALUES ($1, coalesce((SELECT attempts FROM jobs WHERE died_at IS NULL AND payload ->> 'name' = $1), 0))";
        tx.execute(Query::InsertJobs, sqlx::query(insert).bind(self.name.clone())).await?;
        Ok(tx)
    }

    /// Writes the effect and completes the job in one transaction.
    pub async fn effect(&self) -> Result<(), Failure> {
        let mut tx = self.begin().await?;
        self.job.complete(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// The number of attempts so far, including the current one.
    pub async fn attempt(&self) -> i32 {
        let mut conn = self.db.acquire().await.unwrap();
        let select = sqlx::query("SELECT attempts FROM jobs WHERE died_at IS NULL AND payload ->> 'name' = $1").bind(self.name.clone());
        conn.one(Query::SelectJobs, select.try_map(|row: PgRow| row.try_get(0))).await.unwrap()
    }
}

/// A handler that only writes its effect and completes the job.
pub async fn effect(work: Work) -> Result<(), Failure> {
    work.effect().await
}

/// A point at which handlers wait until the test lets them continue.
#[derive(Clone)]
pub struct Gate {
    reached: Arc<Notify>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub fn closed() -> Self {
        Self { reached: Arc::default(), open: Arc::new(Semaphore::new(0)) }
    }

    /// Reports the calling handler's arrival and waits.
    pub async fn pass(&self) {
        self.reached.notify_one();
        self.open.acquire().await.unwrap().forget();
    }

    /// Waits until a handler has arrived.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets one handler continue.
    pub fn pass_one(&self) {
        self.open.add_permits(1);
    }

    /// Lets all handlers pass from now on.
    pub fn open(&self) {
        self.open.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// A handler that waits here before it writes its effect.
    pub fn then_effect(&self) -> impl Fn(Work) -> BoxFuture<'static, Result<(), Failure>> + Clone + use<> {
        let gate = self.clone();
        move |work: Work| {
            let gate = gate.clone();
            Box::pin(async move {
                gate.pass().await;
                work.effect().await
            })
        }
    }
}

struct Doing<F> {
    run: F,
    db: Db,
    queue: Queue,
}

#[async_trait]
impl<F, R> Handler for Doing<F>
where
    F: Fn(Work) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), Failure>> + Send,
{
    async fn run(&self, job: &Job) -> Result<(), Failure> {
        let name = job.payload::<serde_json::Value>()?["name"].as_str().unwrap().to_owned();
        (self.run)(Work { job: job.clone(), name, db: self.db.clone(), queue: self.queue.clone() }).await
    }

    async fn give_up(&self, job: &Job, tx: &mut Conn, reason: &str) -> Result<(), StoreError> {
        let name = job.payload::<serde_json::Value>().unwrap()["name"].as_str().unwrap().to_owned();
        let insert = sqlx::query("INSERT INTO given_up (name, reason) VALUES ($1, $2)").bind(name).bind(reason.to_owned());
        tx.execute(Query::InsertJobs, insert).await.map(drop)
    }
}

/// A job with this name.
pub fn job(name: &str) -> NewJob {
    NewJob::new(JobKind::EnvironmentChange, &json!({ "name": name }))
}

/// Settings for tests in which no lease expires.
pub fn quick() -> LeasePolicy {
    LeasePolicy {
        lease: Duration::from_hours(1),
        poll_interval: Duration::from_millis(20),
        first_pause: Duration::from_millis(10),
        ..LeasePolicy::default()
    }
}

/// Settings for tests in which a lease expires.
pub fn short_lease() -> LeasePolicy {
    LeasePolicy { lease: Duration::from_secs(1), ..quick() }
}

/// Timeouts that are long enough for the database on a busy machine.
pub const LONG_TIMEOUTS: [&str; 2] = ["--database-acquire-timeout=30s", "--database-statement-timeout=30s"];

/// A migrated database with tables for the handlers' effects, and a queue.
pub struct Fixture {
    pub stores: Stores,
    pub db: Db,
    pub queue: Queue,
}

impl Fixture {
    pub async fn new() -> Self {
        let stores = Stores::new().await;
        let db = Db::new(&configuration(&stores, &LONG_TIMEOUTS), Exporter::default().metrics()).unwrap();
        db.migrate(|_| ()).await.unwrap();
        stores.execute("CREATE TABLE effects (id bigserial, name text NOT NULL, attempt integer NOT NULL)").await;
        stores.execute("CREATE TABLE given_up (name text NOT NULL, reason text NOT NULL)").await;
        Self { stores, db, queue: Queue::default() }
    }

    /// Starts a proxy in front of Postgres; the proxy fails on demand.
    pub async fn proxy(&self, mode: Mode) -> Way {
        let proxy = Proxy::before(&self.stores.database_url(), mode).await;
        let database = through("database-url", &self.stores.database_url(), proxy.address);
        // Tests wait until these timeouts expire, so the timeouts are short, but long enough for the database on a busy machine.
        Way { proxy, arguments: vec![database, "--database-acquire-timeout=4s".to_owned(), "--database-statement-timeout=3s".to_owned()] }
    }

    /// Enqueues jobs in one transaction.
    pub async fn enqueue(&self, jobs: &[NewJob]) {
        let mut tx = self.db.begin().await.unwrap();
        for job in jobs {
            self.queue.enqueue(&mut tx, job).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Starts a replica that handles every kind of job with `run`.
    pub fn replica<F, R>(&self, policy: LeasePolicy, slots: usize, run: F) -> Replica
    where
        F: Fn(Work) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.replica_with(&LONG_TIMEOUTS, policy, slots, run)
    }

    /// Like `replica`, with these arguments instead of [`LONG_TIMEOUTS`].
    pub fn replica_with<F, R>(&self, arguments: &[impl AsRef<str>], policy: LeasePolicy, slots: usize, run: F) -> Replica
    where
        F: Fn(Work) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Replica::start(&self.stores, arguments, policy, slots, |db, queue| {
            let handler = |kind: &JobKind| -> (JobKind, Arc<dyn Handler>) {
                (*kind, Arc::new(Doing { run: run.clone(), db: db.clone(), queue: queue.clone() }))
            };
            JobKind::MEMBERS.iter().map(handler).collect()
        })
    }

    /// The names of the effects so far, in order.
    pub async fn effects(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT name FROM effects ORDER BY id").fetch_all(self.stores.pool()).await.unwrap()
    }

    /// Waits until no job is left, except dead letters.
    pub async fn until_done(&self) {
        self.until("no job is pending or running", "SELECT count(*) = 0 FROM jobs WHERE died_at IS NULL").await;
    }

    /// Waits until a statement returns true.
    pub async fn until(&self, what: &str, statement: &str) {
        eventually(what, async || when(self.holds(statement).await)).await;
    }

    /// Whether a statement returns true.
    pub async fn holds(&self, statement: &str) -> bool {
        sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(self.stores.pool()).await.unwrap()
    }
}

/// A proxy in front of Postgres, and the arguments of a replica that uses it.
pub struct Way {
    proxy: Proxy,
    pub arguments: Vec<String>,
}

impl Deref for Way {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.proxy
    }
}

/// The workers of one replica; dropping them kills them.
pub struct Replica {
    runtime: Option<Runtime>,
    queue: Queue,
    workers: Workers,
    exporter: Exporter,
}

impl Replica {
    /// Starts a replica on a runtime with one thread.
    pub fn start(
        stores: &Stores,
        arguments: &[impl AsRef<str>],
        policy: LeasePolicy,
        slots: usize,
        handlers: impl FnOnce(&Db, &Queue) -> Vec<(JobKind, Arc<dyn Handler>)>,
    ) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let inside = runtime.enter();
        let (exporter, queue) = (Exporter::default(), Queue::default());
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let db = Db::new(&configuration(stores, &arguments), exporter.metrics()).unwrap();
        let handlers = handlers(&db, &queue);
        let workers = Workers::with_policy(policy, queue.clone(), db, slots, handlers, exporter.metrics());
        runtime.spawn(workers.clone().work());
        drop(inside);
        Self { runtime: Some(runtime), queue, workers, exporter }
    }

    /// Stops the replica abruptly, as SIGKILL does.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Blocks the replica's only thread, as SIGSTOP does, until the returned sender is dropped.
    pub async fn freeze(&self) -> mpsc::Sender<()> {
        let (thaw, frozen) = mpsc::channel::<()>();
        let is_frozen = Arc::new(Notify::new());
        let notify = is_frozen.clone();
        self.runtime.as_ref().expect("the replica was killed").spawn(async move {
            notify.notify_one();
            let _thawed = frozen.recv();
        });
        is_frozen.notified().await;
        thaw
    }

    /// Shuts down gracefully, as the service does. From the first poll on, the replica leases no job.
    pub async fn leave(&self, limit: Duration) {
        self.workers.leave(limit).await;
    }

    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Waits until the expected total of attempts has ended, then asserts the number of attempts for each outcome.
    pub async fn until_attempts(&self, expected: &[(&str, u32)]) {
        let all = f64::from(expected.iter().map(|(_, count)| count).sum::<u32>());
        eventually("the attempts have ended", async || when(self.scrape().get("jobs_total", &[]) >= all)).await;
        for (outcome, count) in expected {
            assert_eq!(self.attempts(outcome), f64::from(*count), "{outcome}: {:?}", self.scrape().grown(&Scrape::parse(""), "jobs_total"));
        }
    }

    pub fn scrape(&self) -> Scrape {
        Scrape::parse(&self.exporter.render())
    }

    /// The number of attempts with this outcome, of any kind of job.
    pub fn attempts(&self, outcome: &str) -> f64 {
        self.scrape().get("jobs_total", &[("outcome", outcome)])
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}
