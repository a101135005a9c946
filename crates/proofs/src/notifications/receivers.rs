//! A running Alertmanager with all of its receivers: the simulated Slack, `PagerDuty` and webhook, and the mail sink. `live` and `links`
//! raise the alerts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use devstack::cargo;
use devstack::http::{self, get};
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::process::{Daemon, Process};
use devstack::tools::{ALERTMANAGER, MAILDEV};
use devstack::{configuration, paths, stack};
use serde_json::Value;
use tempfile::TempDir;

use crate::mails::Inbox;

/// Time limit for the start of each process. The mail sink runs on Node.js, which starts slowly on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// A received notification.
#[derive(Debug)]
pub struct Notification {
    /// `slack`, `pagerduty`, the name of a webhook receiver, or a mail address.
    pub receiver: String,
    /// The name of the first alert in the notification.
    pub alert: String,
    /// Whether all alerts of the notification have resolved.
    pub resolved: bool,
    /// The text of the message.
    pub text: String,
    /// `PagerDuty`'s `dedup_key` or the webhook's `groupKey`; null for Slack and mail.
    pub key: Value,
}

/// The running processes and their ports.
pub struct Receivers {
    pub ports: Ports,
    /// The mails that count.
    pub inbox: Inbox,
    // Declared before `folder`, so that processes stop before their folder is removed.
    running: Vec<Process>,
    folder: TempDir,
}

impl Receivers {
    /// Starts the processes; Alertmanager's waits are divided by `speed`.
    pub fn start(speed: u32) -> Result<Self> {
        let (folder, ports) = (paths::temporary("notifications")?, Ports::any(MAX_REPLICAS)?);
        let root = folder.path();
        configuration::write(root, &ports, MAX_REPLICAS, true)?;
        configuration::speed_up(root, speed)?;
        let daemon = |name: &str, program: PathBuf| Daemon::new(name, &program, root);
        let simulator = daemon("provider-sim", cargo::binary(false).with_file_name("provider-sim"))
            .env("LISTEN_ADDRESS", ports.address(Port::ProviderSim)?)
            .start()?;
        let mail = stack::mail_sink(daemon("maildev", MAILDEV.path()?), &ports)?;
        let alertmanager = stack::alertmanager(daemon("alertmanager", ALERTMANAGER.path()?), &ports, root, &root.join("data"))?;
        let mut running = vec![simulator, mail, alertmanager];
        let health_checks = [(Port::ProviderSim, "health"), (Port::MailPage, "healthz"), (Port::Alertmanager, "-/ready")];
        for (process, (port, path)) in running.iter_mut().zip(health_checks) {
            let url = format!("{}/{path}", ports.url(port)?);
            process.wait_ready(LIMIT, || http::is_ok(&url))?;
        }
        let inbox = Inbox::from_now(ports.url(Port::MailPage)?)?;
        Ok(Self { ports, inbox, running, folder })
    }

    /// The folder of the written configuration.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a process that stops together with the others.
    pub fn add(&mut self, process: Process) {
        self.running.push(process);
    }

    /// All notifications received so far.
    pub fn received(&self) -> Result<Vec<Notification>> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let answer = get(&format!("{}/notifications", self.ports.url(Port::ProviderSim)?))?.json()?;
        let simulated = answer.as_array().context("the simulator returned no list")?;
        let simulated = simulated.iter().map(|notification| Notification {
            receiver: text(if notification["kind"] == "webhook" { &notification["receiver"] } else { &notification["kind"] }),
            alert: text(&notification["alerts"][0]),
            resolved: notification["status"] == "resolved",
            text: text(&notification["text"]),
            key: notification["key"].clone(),
        });
        let mails = self.inbox.mails()?.into_iter().map(|mail| {
            let subject = text(&mail["subject"]);
            let alert = subject.split_once("] ").map_or("", |(_, rest)| rest.split(' ').next().unwrap_or_default());
            Notification {
                receiver: text(&mail["to"][0]["address"]),
                alert: alert.to_owned(),
                resolved: subject.starts_with("[RESOLVED]"),
                text: text(&mail["text"]),
                key: Value::Null,
            }
        });
        Ok(simulated.chain(mails).collect())
    }
}
