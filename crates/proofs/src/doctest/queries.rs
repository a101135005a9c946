//! Runs the queries of documents in Prometheus while users are active, and compares each answer with the one that its document states.
//! `answers` defines the forms of an answer.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use devstack::ports::{Port, Ports};
use devstack::process::pause;

use super::answers::{Answer, stated};
use super::documents::Snippet;
use crate::load::{Load, Plan, Profile};
use crate::prometheus::query;

/// The time from the start of the load until every answer must have its shape: the load must reach every route, and rules must have been
/// evaluated.
const LIMIT: Duration = Duration::from_mins(3);
/// Longer than all queries take.
const LOAD: Duration = Duration::from_hours(1);

/// Runs the queries of these snippets and returns their number. The summary of the load goes into `folder`.
pub fn run(ports: &Ports, folder: &Path, snippets: &[Snippet]) -> Result<u64> {
    let (prometheus, edge) = (ports.url(Port::Prometheus)?, ports.page(Port::Edge)?);
    let summary = folder.join("load.json");
    let plan = Plan { edge: &edge, prometheus: None, profile: Profile::Demo, duration: LOAD, rate: None, summary: &summary, page: None };
    let (load, start) = (Load::start(&plan)?, Instant::now());
    let mut wrong = Vec::new();
    for snippet in snippets {
        match stated(snippet)? {
            // A query without a stated answer must be accepted.
            None => drop(query(&prometheus, &snippet.text).with_context(|| snippet.name())?),
            Some(answer) => {
                let difference = wait_for(&prometheus, &snippet.text, &answer, start)?;
                wrong.extend(difference.map(|why| format!("{}: {why}", snippet.name())));
            }
        }
    }
    load.stop()?;
    ensure!(wrong.is_empty(), "other answers than stated:\n{}", wrong.join("\n"));
    Ok(u64::try_from(snippets.len())?)
}

/// Asks until the answer has the stated shape; returns the difference if it never has. `start` is the start of the load.
fn wait_for(prometheus: &str, text: &str, answer: &Answer, start: Instant) -> Result<Option<String>> {
    loop {
        let replicas = query(prometheus, "up{job=\"backend\"}")?;
        let replicas: BTreeSet<String> =
            replicas.iter().filter_map(|series| series["metric"]["instance"].as_str().map(str::to_owned)).collect();
        match answer.check(&query(prometheus, text)?, &replicas) {
            Ok(()) => return Ok(None),
            Err(why) if start.elapsed() > LIMIT => return Ok(Some(format!("{why:#}"))),
            Err(_) => pause()?,
        }
    }
}
