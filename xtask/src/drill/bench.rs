//! What drills are done on: a whole stack whose monitoring is in a hurry, somebody who may arm faults, and some load.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::form::Form;
use crate::http::{Answer, Client, get, send};
use crate::paths;
use crate::ports::{MAX_REPLICAS, Port, Ports};
use crate::stack::{Plan, Stack};
use crate::users::sign_up;
use crate::verbs::up;

/// Faults end by themselves after this, in seconds, should a drill not come to its end.
const FAULT_LASTS: u32 = 600;
/// Within which every replica knows of a fault.
const FAULT_IS_KNOWN: Duration = Duration::from_secs(2);
/// Settings that a drill needs and production would not have.
const SETTINGS: [(&str, &str); 6] = [
    ("FAULTS", "true"),
    // All of it shares one machine, which is full at times.
    ("DATABASE_ACQUIRE_TIMEOUT", "5s"),
    ("BEACONS_PER_MINUTE", "100000"),
    ("SIM_FAILURE_RATE", "0"),
    // One worker, so that a replica that spins leaves a core to those that watch it.
    ("TOKIO_WORKER_THREADS", "1"),
    ("DRAIN_DELAY", "2s"),
];

/// A stack and the means to hurt it.
pub struct Bench {
    /// What goes on until the end.
    kept: Vec<Box<dyn Any>>,
    /// Dropped when the alerts of the running drills have resolved.
    kept_until_resolved: Vec<Box<dyn Any>>,
    /// The stack itself.
    pub stack: Stack,
    folder: PathBuf,
    /// Who may arm faults.
    admin: String,
}

impl Bench {
    /// Starts everything in a form, its monitoring so many times as fast as in production.
    pub fn start(folder: PathBuf, speed: u32, form: Form) -> Result<Self> {
        let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let plan = Plan {
            folder: folder.clone(),
            ports: Ports::any(MAX_REPLICAS)?.in_form(form),
            replicas: MAX_REPLICAS,
            binary: up::binary(false),
            engine: None,
            settings,
        };
        let stack = Stack::start_at(plan, speed)?;
        let email = "on-call@example.org";
        let admin = sign_up(&stack.edge()?, email)?;
        stack.administer(&["grant-admin", email])?;
        Ok(Self { kept: Vec::new(), kept_until_resolved: Vec::new(), stack, folder, admin })
    }

    /// Where the stack's files lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps something until the stack ends.
    pub fn keep(&mut self, something: impl Any) {
        self.kept.push(Box::new(something));
    }

    /// Keeps something until the alerts of the running drills have resolved.
    pub fn keep_until_resolved(&mut self, something: impl Any) {
        self.kept_until_resolved.push(Box::new(something));
    }

    /// Ends what was kept until then.
    pub fn resolved(&mut self) {
        self.kept_until_resolved.clear();
    }

    /// Where something listens.
    pub fn url(&self, port: Port) -> Result<String> {
        self.stack.ports().url(port)
    }

    /// Where a browser finds it.
    pub fn page(&self, port: Port) -> Result<String> {
        self.stack.ports().page(port)
    }

    /// An account of its own for a drill; answers its token.
    pub fn somebody(&self) -> Result<String> {
        sign_up(&self.stack.edge()?, &format!("{}@example.org", paths::random_password()?))
    }

    /// Arms a fault in every replica or in the one that it names; answers what ends it.
    pub fn fault(&self, fault: Value) -> Result<Fault> {
        let mut fault = fault;
        fault["expires_in"] = json!(FAULT_LASTS);
        let id = uuid()?;
        // Any replica takes it, whatever else the edge thinks of them.
        let path = format!("/api/faults/{id}");
        let answer = self.as_admin("PUT", &path, Some(&fault))?;
        ensure!(answer.status == 201, "{fault}: {} {}", answer.status, answer.body);
        Ok(Fault(path))
    }

    /// As [`Self::fault`], and returns when every replica knows of it.
    pub fn known_fault(&self, fault: Value) -> Result<Fault> {
        let fault = self.fault(fault)?;
        thread::sleep(FAULT_IS_KNOWN);
        Ok(fault)
    }

    /// Takes a fault away.
    pub fn end_fault(&self, fault: &Fault) -> Result<()> {
        let answer = self.as_admin("DELETE", &fault.0, None)?;
        ensure!(answer.status == 204, "{}: {} {}", fault.0, answer.status, answer.body);
        Ok(())
    }

    /// Takes every fault away that a drill may have left.
    pub fn end_faults(&self) -> Result<()> {
        self.as_admin("DELETE", "/api/faults", None).map(drop)
    }

    fn as_admin(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let url = format!("{}{path}", self.stack.edge()?);
        send(method, &url, &[("authorization", &format!("Bearer {}", self.admin))], body)
    }

    /// Turns the knobs of a simulated platform.
    pub fn knobs(&self, platform: &str, knobs: &Value) -> Result<()> {
        let url = format!("{}/knobs/{platform}", self.url(Port::ProviderSim)?);
        let answer = send("PUT", &url, &[], Some(knobs))?;
        ensure!(answer.status < 300, "{url}: {} {}", answer.status, answer.body);
        Ok(())
    }

    /// The JSON of a GET to Prometheus.
    pub fn prometheus(&self, path: &str) -> Result<Value> {
        get(&format!("{}{path}", self.url(Port::Prometheus)?))?.json()
    }

    /// Has Prometheus read its files again; answers whether it could.
    pub fn reload(&self) -> Result<bool> {
        Ok(send("POST", &format!("{}/-/reload", self.url(Port::Prometheus)?), &[], None)?.status == 200)
    }
}

/// A fault that is armed.
pub struct Fault(String);

/// A random UUID (RFC 9562, version 4).
fn uuid() -> Result<String> {
    let hex = paths::random_password()?;
    Ok(format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..]))
}

/// A request whose answer tells nothing.
pub fn shoot(client: &Client, method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) {
    let _whatever = client.send(method, url, headers, body);
}
