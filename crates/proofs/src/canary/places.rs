//! The places that operators or other users of the machine can read: metrics, logs, alerts with their mail, dashboards, and the arguments
//! of processes.

use std::fs;

use anyhow::{Context, Result, ensure};
use devstack::http::get;
use devstack::ports::{MAX_REPLICAS, Port};
use serde_json::Value;

use crate::drill::test_stack::TestStack;
use crate::{mails, processes};

/// The access log of the edge.
pub const EDGE_LOG: &str = "caddy.log";

/// A text that somebody can read.
pub struct Place {
    pub name: String,
    pub text: String,
}

/// The metrics of every scrape target except Grafana, and the names and values of all labels in Prometheus.
pub fn metrics(test: &TestStack) -> Result<Vec<Place>> {
    let exporters = [
        Port::CaddyMetrics,
        Port::PostgresExporter,
        Port::RedisExporter,
        Port::NodeExporter,
        Port::BlackboxExporter,
        Port::Prometheus,
        Port::Alertmanager,
    ];
    let ports = (1..=MAX_REPLICAS).map(Port::Backend).chain(exporters);
    let mut places = ports.map(|port| page(test, port, "/metrics")).collect::<Result<Vec<_>>>()?;
    let labels = page(test, Port::Prometheus, "/api/v1/labels")?;
    let names: Value = serde_json::from_str(&labels.text)?;
    places.push(labels);
    for name in names["data"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        places.push(page(test, Port::Prometheus, &format!("/api/v1/label/{name}/values"))?);
    }
    Ok(places)
}

/// The log of every process.
pub fn logs(test: &TestStack) -> Result<Vec<Place>> {
    let folder = test.folder().join("logs");
    let entries = fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))?;
    let read = |entry: fs::DirEntry| -> Result<Place> {
        let bytes = fs::read(entry.path())?;
        Ok(Place { name: entry.file_name().display().to_string(), text: String::from_utf8_lossy(&bytes).into_owned() })
    };
    entries.map(|entry| read(entry?)).collect()
}

/// Alerts and rules with their annotations, mails, and the other notifications.
pub fn alerts(test: &TestStack) -> Result<Vec<Place>> {
    let pages = [
        (Port::Prometheus, "/api/v1/alerts"),
        (Port::Prometheus, "/api/v1/rules"),
        (Port::Alertmanager, "/api/v2/alerts"),
        (Port::ProviderSim, "/notifications"),
    ];
    pages.into_iter().map(|(port, path)| page(test, port, path)).chain([mails(test)]).collect()
}

/// What the mails say. Their recipients are left out: mails to owners of accounts name their addresses.
fn mails(test: &TestStack) -> Result<Place> {
    let mails = mails::all(&test.url(Port::MailPage)?)?;
    let texts = mails.iter().map(|mail| format!("{} {} {} {}", mail["from"], mail["subject"], mail["text"], mail["html"]));
    Ok(Place { name: "mails".to_owned(), text: texts.collect() })
}

/// The dashboards as Grafana returns them, or nothing if the stack has no Grafana. Their queries show series of Prometheus, which
/// [`metrics`] covers.
pub fn dashboards(test: &TestStack) -> Result<Vec<Place>> {
    if test.url(Port::Grafana).is_err() {
        return Ok(Vec::new());
    }
    let list: Value = serde_json::from_str(&page(test, Port::Grafana, "/api/search?type=dash-db")?.text)?;
    let uids = list.as_array().into_iter().flatten().filter_map(|dashboard| dashboard["uid"].as_str());
    uids.map(|uid| page(test, Port::Grafana, &format!("/api/dashboards/uid/{uid}"))).collect()
}

/// The arguments of every process of the stack, which every user of the machine can read.
pub fn arguments() -> Result<Vec<Place>> {
    let processes = processes::descendants(std::process::id())?;
    let read = |(pid, name): (u32, String)| {
        // A process that has just exited has no arguments.
        let text = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Place { name: format!("{name} {pid}"), text: String::from_utf8_lossy(&text).replace('\0', " ") })
    };
    Ok(processes.into_iter().filter_map(read).collect())
}

fn page(test: &TestStack, port: Port, path: &str) -> Result<Place> {
    let url = format!("{}{path}", test.url(port)?);
    let answer = get(&url)?;
    ensure!(answer.status == 200 && !answer.body.is_empty(), "{url}: {}", answer.status);
    Ok(Place { name: format!("{port:?} {path}"), text: answer.body })
}
