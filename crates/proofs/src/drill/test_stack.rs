//! The stack that drills run on: a whole stack with accelerated monitoring, and an admin who may inject faults.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use devstack::cargo;
use devstack::form::Form;
use devstack::http::{Answer, Client, get, send};
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::process::wait_until;
use devstack::stack::{Plan, Stack};
use serde_json::{Value, json};

use crate::prometheus;
use crate::users::sign_up;

/// Lifetime of a fault in seconds, in case a drill is aborted before it removes its fault.
const FAULT_LASTS: u32 = 600;
/// Extra time in [`TestStack::wait_for_history`], because Prometheus scrapes at intervals.
const HISTORY_SLACK: Duration = Duration::from_mins(1);
/// Time until every replica has read a new fault.
const FAULT_IS_KNOWN: Duration = Duration::from_secs(2);
/// Time limit for every target to be scraped once more; an unoptimised replica on a busy machine is slow.
const SCRAPE_LIMIT: Duration = Duration::from_secs(30);
/// Settings that drills need and production would not have.
const SETTINGS: [(&str, &str); 6] = [
    ("FAULTS", "true"),
    // The whole stack shares one machine, which is saturated at times.
    ("DATABASE_ACQUIRE_TIMEOUT", "5s"),
    ("BEACONS_PER_MINUTE", "100000"),
    ("SIM_FAILURE_RATE", "0"),
    // One worker, so that a busy-looping replica leaves a core to the processes that monitor it.
    ("TOKIO_WORKER_THREADS", "1"),
    ("DRAIN_DELAY", "2s"),
];

/// A stack with the controls to break it.
pub struct TestStack {
    /// Kept until the stack stops.
    kept: Vec<Box<dyn Any>>,
    /// Dropped when the alerts of the running drills have resolved.
    kept_until_resolved: Vec<Box<dyn Any>>,
    /// The stack itself.
    pub stack: Stack,
    folder: PathBuf,
    speed: u32,
    /// The bearer token of an admin who may inject faults.
    admin: String,
}

impl TestStack {
    /// Starts everything in the given form; the monitoring runs `speed` times as fast as in production.
    pub fn start(folder: PathBuf, speed: u32, form: Form) -> Result<Self> {
        Self::start_with(folder, speed, form, &[])
    }

    /// As [`Self::start`], with more settings of the replicas.
    pub fn start_with(folder: PathBuf, speed: u32, form: Form, more: &[(&str, &str)]) -> Result<Self> {
        Self::start_on(folder, speed, Ports::any(MAX_REPLICAS)?.in_form(form), more)
    }

    /// As [`Self::start_with`], on these ports, which also say whether the stack has tracing.
    pub fn start_on(folder: PathBuf, speed: u32, ports: Ports, more: &[(&str, &str)]) -> Result<Self> {
        let settings = SETTINGS.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let plan = Plan { folder: folder.clone(), ports, replicas: MAX_REPLICAS, binary: cargo::binary(false), engine: None, settings };
        let stack = Stack::start_at(plan, speed)?;
        let email = "on-call@example.org";
        let admin = sign_up(&stack.edge()?, email)?;
        stack.administer(&["grant-admin", email])?;
        Ok(Self { kept: Vec::new(), kept_until_resolved: Vec::new(), stack, folder, speed, admin })
    }

    /// The folder that holds the stack's files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a value until the stack stops.
    pub fn keep(&mut self, something: impl Any) {
        self.kept.push(Box::new(something));
    }

    /// Keeps a value until the alerts of the running drills have resolved.
    pub fn keep_until_resolved(&mut self, something: impl Any) {
        self.kept_until_resolved.push(Box::new(something));
    }

    /// Drops everything kept until resolution.
    pub fn resolved(&mut self) {
        self.kept_until_resolved.clear();
    }

    /// The URL of a service of the stack.
    pub fn url(&self, port: Port) -> Result<String> {
        self.stack.ports().url(port)
    }

    /// The URL at which browsers open a service.
    pub fn page(&self, port: Port) -> Result<String> {
        self.stack.ports().page(port)
    }

    /// Creates an account for a drill and returns its token.
    pub fn new_account(&self) -> Result<String> {
        sign_up(&self.stack.edge()?, &format!("{}@example.org", paths::random_password()?))
    }

    /// Injects a fault into every replica, or into the replica that the fault names. Returns the handle for [`Self::end_fault`].
    pub fn fault(&self, fault: Value) -> Result<Fault> {
        let mut fault = fault;
        fault["expires_in"] = json!(FAULT_LASTS);
        let id = uuid()?;
        // Sent through the edge, which selects a healthy replica. Any replica accepts a fault for another replica.
        let path = format!("/api/faults/{id}");
        let answer = self.as_admin("PUT", &path, Some(&fault))?;
        ensure!(answer.status == 201, "{fault}: {} {}", answer.status, answer.body);
        Ok(Fault(path))
    }

    /// As [`Self::fault`], but returns once every replica has read the fault.
    pub fn known_fault(&self, fault: Value) -> Result<Fault> {
        let fault = self.fault(fault)?;
        thread::sleep(FAULT_IS_KNOWN);
        Ok(fault)
    }

    /// Ends a fault.
    pub fn end_fault(&self, fault: &Fault) -> Result<()> {
        let answer = self.as_admin("DELETE", &fault.0, None)?;
        ensure!(answer.status == 204, "{}: {} {}", fault.0, answer.status, answer.body);
        Ok(())
    }

    /// Ends every fault that a drill may have left active.
    pub fn end_faults(&self) -> Result<()> {
        self.as_admin("DELETE", "/api/faults", None).map(drop)
    }

    /// Sends a GET as an admin, through the edge.
    pub fn read_as_admin(&self, path: &str) -> Result<Answer> {
        self.as_admin("GET", path, None)
    }

    fn as_admin(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let url = format!("{}{path}", self.stack.edge()?);
        send(method, &url, &[("authorization", &format!("Bearer {}", self.admin))], body)
    }

    /// Sets the fault-injection knobs of a simulated platform.
    pub fn knobs(&self, platform: &str, knobs: &Value) -> Result<()> {
        let url = format!("{}/knobs/{platform}", self.url(Port::ProviderSim)?);
        let answer = send("PUT", &url, &[], Some(knobs))?;
        ensure!(answer.status < 300, "{url}: {} {}", answer.status, answer.body);
        Ok(())
    }

    /// Sends a GET to Prometheus and returns its JSON.
    pub fn prometheus(&self, path: &str) -> Result<Value> {
        get(&format!("{}{path}", self.url(Port::Prometheus)?))?.json()
    }

    /// The results of an instant query, as Prometheus writes them.
    pub fn query(&self, query: &str) -> Result<Vec<Value>> {
        prometheus::query(&self.url(Port::Prometheus)?, query)
    }

    /// Waits until Prometheus has samples of a series that are older than `age`. `age` is a duration at speed 1; the function divides it by
    /// the speed of the stack.
    pub fn wait_for_history(&self, series: &str, age: Duration) -> Result<()> {
        let age = age / self.speed;
        let query = format!("group({series} offset {}s)", age.as_secs());
        wait_until(&format!("{series} has a history"), age + HISTORY_SLACK, || Ok(!self.query(&query)?.is_empty()))
    }

    /// Waits until every target has been scraped after this call.
    pub fn wait_for_scrapes(&self) -> Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
        wait_until("every target has been scraped again", SCRAPE_LIMIT, || {
            // A scrape's timestamp is the time at which it began.
            let oldest = self.query("min(timestamp(up))")?;
            let oldest = oldest.first().and_then(|oldest| oldest["value"][1].as_str()?.parse::<f64>().ok());
            Ok(oldest.is_some_and(|oldest| oldest > now))
        })
    }

    /// Makes Prometheus reload its configuration; returns whether the reload succeeded.
    pub fn reload(&self) -> Result<bool> {
        Ok(send("POST", &format!("{}/-/reload", self.url(Port::Prometheus)?), &[], None)?.status == 200)
    }
}

/// The handle of a fault.
pub struct Fault(String);

impl Fault {
    /// The identifier of the fault.
    pub fn id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

/// A random UUID (RFC 9562, version 4).
pub fn uuid() -> Result<String> {
    let hex = paths::random_password()?;
    Ok(format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..]))
}

/// Sends a request and ignores its outcome.
pub fn send_and_forget(client: &Client, method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) {
    let _whatever = client.send(method, url, headers, body);
}
