//! The long-term store has what Prometheus has: after an absence, and for a pair. `dashboards` compares the answers to queries.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use devstack::process::{rest, wait_until};
use devstack::report::Outcome;
use rustix::process::Signal;

use super::answers::{ask, difference, raw};
use super::pair;
use super::site::{LIMIT, Part, Site};
use crate::panels::now;
use crate::prometheus::value;
use crate::scrape;

const AWAY: Duration = Duration::from_secs(10);
/// Restricts a query in the store to the other cluster, as Grafana's data source of one cluster does.
pub const OF_OTHER: &str = "&extra_label=cluster=other&nocache=1";
const OF_PAIR: &str = "&extra_label=cluster=vitrine&nocache=1";

/// The times at which the store went away and was back, in Unix seconds.
pub struct Away {
    from: f64,
    to: f64,
}

/// Stops the store while an alert fires, and starts it again after ten seconds.
pub fn away(site: &mut Site) -> Result<(Away, Outcome)> {
    let mut away = Away { from: 0.0, to: 0.0 };
    let outcome = pair::all_alive(site, |site| {
        let start = Instant::now();
        away.from = now();
        // A killed store would also lose what it has accepted in its last seconds and not yet written to its disk.
        site.end(Part::Store, Signal::TERM)?;
        rest(AWAY.saturating_sub(start.elapsed()))?;
        site.launch(Part::Store)?;
        away.to = now();
        Ok(())
    })?;
    Ok((away, outcome))
}

/// Waits until everything that the Prometheus of the other cluster had at this moment is in the store; returns that moment.
pub fn caught_up(site: &Site) -> Result<f64> {
    let (url, at) = (site.url(Part::Other)?, now());
    let sent = "prometheus_remote_storage_queue_highest_sent_timestamp_seconds";
    wait_until("the store has caught up", LIMIT, || Ok(scrape::sum(&url, sent, "")? > at + 1.0))?;
    let store = site.url(Part::Store)?;
    // The store shows samples a moment after it has accepted them.
    wait_until("the store shows what it has", LIMIT, || Ok(!ask(&store, "timestamp(up)", at + 1.0, OF_OTHER)?.is_empty()))?;
    rest(Duration::from_secs(2))?;
    Ok(at)
}

/// The store has every sample of its absence, with its time.
pub fn no_gap(site: &Site, away: &Away) -> Result<Outcome> {
    let at = caught_up(site)?;
    ensure!(away.to - away.from >= AWAY.as_secs_f64(), "the store was not away");
    let query = format!("up[{}s]", (at - away.from).ceil() + 10.0);
    let samples = |part, more| -> Result<BTreeSet<String>> {
        let all = raw(&site.url(part)?, &query, at, more)?;
        Ok(all.into_iter().filter(|(time, _)| *time > away.from && *time < at).map(|(time, labels)| format!("{time} {labels}")).collect())
    };
    let (prometheus, store) = (samples(Part::Other, "")?, samples(Part::Store, OF_OTHER)?);
    ensure!(!prometheus.is_empty(), "Prometheus has no samples");
    let missing = prometheus.difference(&store).count();
    ensure!(missing == 0, "{missing} of {} samples are missing", prometheus.len());
    Ok(Outcome::passed().with_note(format!("{} samples since the store went away", prometheus.len())))
}

/// Both replicas of the pair wrote each series, and the store has it once.
pub fn counts_once(site: &Site) -> Result<Outcome> {
    let at = caught_up(site)?;
    let (own, store) = (site.url(Part::Prometheus2)?, site.url(Part::Store)?);
    for query in ["count(up)", "sum(up)", "count(http_requests_total)"] {
        let (one, other) = (ask(&own, query, at, "")?, ask(&store, query, at, OF_PAIR)?);
        ensure!(!one.is_empty(), "{query} has no answer");
        if let Some(difference) = difference(&one, &other, 0.0) {
            return Ok(Outcome::failed(format!("{query}: {difference}")));
        }
    }
    ensure!(value(&store, "count({replica!=\"\"})")?.is_none(), "the store has series with the label replica");
    Ok(Outcome::passed())
}
