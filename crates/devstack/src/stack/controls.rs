//! Controls of a running stack: stop, restart and freeze its processes, query its stores or put load on them. `stack` starts a new stack.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::{DRAIN_GRACE, START_LIMIT, Stack};
use crate::backup::Backups;
use crate::http;
use crate::ports::Port;
use crate::process::{Process, capture_ok, task, wait_until};
use crate::stores;
use crate::tools::REDIS;

impl Stack {
    /// Kills Redis.
    pub fn kill_redis(&mut self) -> Result<()> {
        self.process("redis")?.end(Signal::KILL).map(drop)
    }

    /// Stops Postgres with a fast shutdown, which closes the connections of its clients.
    pub fn stop_postgres(&mut self) -> Result<()> {
        self.process("postgres")?.end(Signal::INT).map(drop)
    }

    /// Starts Postgres again.
    pub fn start_postgres(&mut self) -> Result<()> {
        let folder = stores::lasting_folder(&self.data("postgres")?)?;
        let postgres = stores::postgres(&self.store_plan(&folder, Port::Postgres)?)?;
        *self.process("postgres")? = postgres.process;
        Ok(())
    }

    /// The data folder of Postgres.
    pub fn postgres_data(&self) -> Result<PathBuf> {
        Ok(stores::lasting_folder(&self.data("postgres")?)?.join("data"))
    }

    /// Loses Postgres: kills it with its server processes, and removes its data.
    pub fn lose_postgres(&mut self) -> Result<()> {
        self.signal_family("postgres", Signal::KILL)?;
        self.process("postgres")?.end(Signal::KILL)?;
        let data = self.postgres_data()?;
        fs::remove_dir_all(&data).with_context(|| format!("failed to remove {}", data.display()))
    }

    /// Stops Prometheus, which writes everything that it holds, and returns the folder of its data.
    pub fn stop_prometheus(&mut self) -> Result<PathBuf> {
        self.process("prometheus")?.end(Signal::TERM)?;
        self.data("prometheus")
    }

    /// Starts Prometheus again and waits until it answers queries.
    pub fn start_prometheus_again(&mut self) -> Result<()> {
        let ready = format!("{}/-/ready", self.plan.ports.url(Port::Prometheus)?);
        wait_until("Prometheus answers", START_LIMIT, || {
            self.process("prometheus")?.keep_running()?;
            Ok(http::is_ok(&ready))
        })
    }

    /// The backups of this stack.
    pub fn backups(&self) -> Result<Backups> {
        Backups::of_stack(&self.plan.folder, &self.plan.ports, &self.password)
    }

    /// The folder of the logs of its processes.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Runs SQL as Postgres' superuser and returns the rows.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let mut psql = task(stores::postgres_programs()?.join("psql"));
        capture_ok(psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]).envs(self.postgres_client()?))
    }

    /// Holds this many connections to Postgres until the returned process is dropped, but for at most 10 minutes. Each connection
    /// repeatedly takes a shared lock on the table `leases` and holds it for a second.
    pub fn hold_connections(&self, count: u16) -> Result<Process> {
        let script = self.plan.folder.join("hold.sql");
        // `\sleep` pauses the client. During a `pg_sleep`, Postgres would not notice that the client has disconnected.
        fs::write(&script, "BEGIN;\nSELECT FROM leases;\n\\sleep 1 s\nCOMMIT;\n")?;
        let program = stores::postgres_programs()?.join("pgbench");
        let variables = self.postgres_client()?;
        let holder = self.daemon("holder", &program);
        variables
            .iter()
            .fold(holder, |holder, (name, value)| holder.env(name, value))
            .args(["--no-vacuum", "--time=600", "--jobs=1", &format!("--client={count}"), &format!("--file={}", script.display())])
            .start()
    }

    /// Starts `redis-cli`. With `-r -1` among the arguments, it repeats its command until the returned process is dropped.
    pub fn redis(&self, args: &[&str]) -> Result<Process> {
        let program = REDIS.path()?.with_file_name("redis-cli");
        self.daemon("redis-cli", &program)
            .args(["-h".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), self.plan.ports.of(Port::Redis)?.to_string()])
            .args(args.iter().copied())
            .env("REDISCLI_AUTH", &self.password)
            .start()
    }

    /// Waits until a process has exited on its own.
    pub fn wait_for_end(&mut self, name: &str) -> Result<()> {
        let process = self.process(name)?;
        wait_until(&format!("{name} exits"), DRAIN_GRACE, || Ok(process.check().is_err()))
    }

    /// The variables with the address and credentials of Postgres.
    fn postgres_client(&self) -> Result<[(&'static str, String); 5]> {
        let port = self.plan.ports.of(Port::Postgres)?.to_string();
        let name = || "vitrine".to_owned();
        Ok([
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", port),
            ("PGUSER", name()),
            ("PGDATABASE", name()),
            ("PGPASSWORD", self.password.clone()),
        ])
    }

    /// Starts Redis again.
    pub fn start_redis(&mut self) -> Result<()> {
        let folder = self.data("redis")?;
        let redis = stores::redis(&self.store_plan(&folder, Port::Redis)?)?;
        *self.process("redis")? = redis.process;
        Ok(())
    }

    /// Kills the simulated platforms.
    pub fn kill_platforms(&mut self) -> Result<()> {
        self.process("provider-sim")?.end(Signal::KILL).map(drop)
    }

    /// Starts the simulated platforms again. They have lost all their state.
    pub fn start_platforms_again(&mut self) -> Result<()> {
        let platforms = self.launch_platforms()?;
        *self.process("provider-sim")? = platforms;
        Ok(())
    }

    /// Runs an administrative command of the application.
    pub fn administer(&self, args: &[&str]) -> Result<String> {
        let mut command = task(&self.plan.binary);
        command
            .args(args)
            .env("DATABASE_URL_FILE", self.secrets().join("database_url"))
            .env("REDIS_URL_FILE", self.secrets().join("redis_url"));
        capture_ok(&mut command)
    }

    /// Ends a replica with a signal and starts its replacement; returns the exit status of the ended one.
    pub fn replace_replica(&mut self, number: u16, signal: Signal) -> Result<ExitStatus> {
        let status = self.end_replica(number, signal)?;
        self.start_successor(number)?;
        Ok(status)
    }

    /// Stops a replica, if it runs, and starts its replacement.
    pub fn renew_replica(&mut self, number: u16) -> Result<()> {
        self.replica(number)?.stop();
        self.start_successor(number)
    }

    /// Ends a replica with a signal and returns its exit status.
    pub fn end_replica(&mut self, number: u16, signal: Signal) -> Result<ExitStatus> {
        self.replica(number)?.end(signal)
    }

    /// Sets the binary for the processes that this stack starts later.
    pub fn use_binary(&mut self, binary: PathBuf) {
        self.plan.binary = binary;
    }

    /// Starts a replacement for an exited replica, with extra variables, and does not wait until it is ready.
    pub fn launch_successor(&mut self, number: u16, settings: &[(&str, &str)]) -> Result<()> {
        let successor = self.launch_replica(number, settings)?;
        *self.replica(number)? = successor;
        Ok(())
    }

    /// The id of the process with this name.
    pub fn pid(&mut self, name: &str) -> Result<Pid> {
        Ok(self.process(name)?.pid())
    }

    /// The name and the id of every process, in start order.
    #[must_use]
    pub fn processes(&self) -> Vec<(String, u32)> {
        let id = |process: &Process| process.pid().as_raw_pid().unsigned_abs();
        self.phases.iter().flatten().map(|process| (process.name.clone(), id(process))).collect()
    }

    /// Sends a process a signal, and does not wait for its effect.
    pub fn signal(&mut self, name: &str, signal: Signal) -> Result<()> {
        self.process(name)?.signal(signal)
    }

    /// Sends a signal to a process and to its children, such as the server processes of Postgres.
    pub fn signal_family(&mut self, name: &str, signal: Signal) -> Result<()> {
        let process = self.process(name)?;
        // The parent gets the signal first: a frozen parent starts no more children.
        process.signal(signal)?;
        let parent = process.pid().as_raw_nonzero();
        let children = format!("/proc/{parent}/task/{parent}/children");
        for child in fs::read_to_string(&children).with_context(|| format!("failed to read {children}"))?.split_whitespace() {
            let child = Pid::from_raw(child.parse()?).context("not a process id")?;
            // The child may have exited meanwhile.
            let _ = kill_process(child, signal);
        }
        Ok(())
    }

    /// Restarts exited processes, as Compose does: developers may kill a process of `up` to see the effect. Callers poll this.
    pub fn keep_running(&mut self) -> Result<()> {
        self.phases.iter_mut().flatten().try_for_each(Process::keep_running)
    }

    /// Starts a replacement for an exited replica and waits until it is ready.
    pub fn start_successor(&mut self, number: u16) -> Result<()> {
        let mut successor = self.launch_replica(number, &[])?;
        self.await_replica(number, &mut successor)?;
        *self.replica(number)? = successor;
        Ok(())
    }

    fn replica(&mut self, number: u16) -> Result<&mut Process> {
        self.process(&format!("backend-{number}"))
    }

    pub(super) fn process(&mut self, name: &str) -> Result<&mut Process> {
        self.phases.iter_mut().flatten().find(|process| process.name == name).with_context(|| format!("no process {name}"))
    }
}
