//! Alerts while servers die. The cause is a killed replica of the service, and the receivers are the simulated `PagerDuty` and Slack, which
//! accept Alertmanager's real requests. Each alert must reach each of them once, and so must its resolution.

use anyhow::{Context, Result, ensure};
use devstack::http::{encoded, get};
use devstack::ports::Port;
use devstack::process::{rest, wait_until};
use devstack::report::Outcome;
use rustix::process::Signal;
use serde_json::Value;

use super::site::{LIMIT, PEER_TIMEOUT, Part, Site};

const ALERT: &str = "ServiceDown";
const RECEIVERS: [&str; 2] = ["pagerduty", "slack"];
const CLUSTER: [Part; 2] = [Part::Alertmanager, Part::Alertmanager2];
/// The replica of the service that dies.
const VICTIM: u16 = 3;

/// Starts both Alertmanagers.
pub fn start(site: &mut Site) -> Result<Outcome> {
    CLUSTER.into_iter().try_for_each(|part| site.begin(part))?;
    await_peers(site)?;
    Ok(Outcome::passed())
}

/// The first Alertmanager starts before its peer, and is ready to notify alone. Then the peer joins.
pub fn join(site: &mut Site) -> Result<Outcome> {
    let [first, second] = CLUSTER;
    site.launch(first)?;
    wait_until("an Alertmanager without its peer is ready", LIMIT, || Ok(cluster(site, first)?["status"] == "ready"))?;
    ensure!(peers(site, first)? == 1, "an Alertmanager counts a peer that does not run");
    site.launch(second)?;
    await_peers(site)?;
    Ok(Outcome::passed())
}

fn await_peers(site: &Site) -> Result<()> {
    wait_until("both Alertmanagers see each other", LIMIT, || {
        // An Alertmanager that starts does not answer at first.
        Ok(CLUSTER.into_iter().all(|part| peers(site, part).is_ok_and(|peers| peers == 2)))
    })
}

fn cluster(site: &Site, part: Part) -> Result<Value> {
    Ok(get(&format!("{}/api/v2/status", site.url(part)?))?.json()?["cluster"].take())
}

/// The members of the cluster that an Alertmanager knows, itself included.
fn peers(site: &Site, part: Part) -> Result<usize> {
    Ok(cluster(site, part)?["peers"].as_array().map_or(0, Vec::len))
}

/// The Alertmanager that notifies, and the one that waits for it: the members of a cluster notify in the order of their names, which are
/// random.
fn in_order(site: &Site) -> Result<[Part; 2]> {
    let name = |part| Ok::<_, anyhow::Error>(cluster(site, part)?["name"].as_str().unwrap_or_default().to_owned());
    let [first, second] = CLUSTER;
    Ok(if name(first)? < name(second)? { [first, second] } else { [second, first] })
}

/// An alert with every server alive. `meanwhile` runs between the cause and the notification.
pub fn all_alive(site: &mut Site, meanwhile: impl FnOnce(&mut Site) -> Result<()>) -> Result<Outcome> {
    incident(site, meanwhile)
}

/// The Alertmanager whose turn it is, and one Prometheus, die when the alert has reached them and before the notification.
pub fn killed_during(site: &mut Site) -> Result<Outcome> {
    let [notifier, other] = in_order(site)?;
    let outcome = incident(site, |site| {
        let filter = encoded(&format!("alertname=\"{ALERT}\""));
        let url = format!("{}/api/v2/alerts?filter={filter}", site.url(notifier)?);
        wait_until("the alert reaches Alertmanager", LIMIT, || Ok(get(&url)?.json()?.as_array().is_some_and(|alerts| !alerts.is_empty())))?;
        site.kill(notifier)?;
        site.kill(Part::Prometheus)
    })?;
    Ok(outcome.with_note(format!("{notifier:?} was killed, {other:?} notified")))
}

/// As [`killed_during`], but those servers have been dead since before the cause.
pub fn killed_before(site: &mut Site) -> Result<Outcome> {
    incident(site, |_| Ok(()))
}

/// One alert from its cause to its resolution: kills a replica of the service, and starts it again after the notification.
fn incident(site: &mut Site, meanwhile: impl FnOnce(&mut Site) -> Result<()>) -> Result<Outcome> {
    let before = received(site)?;
    site.stack.end_replica(VICTIM, Signal::KILL)?;
    meanwhile(site)?;
    let early = received(site)?;
    let expected = before.notified();
    await_counts(site, "the receivers are notified", expected)?;
    site.stack.start_successor(VICTIM)?;
    await_counts(site, "the receivers are notified of the resolution", expected.resolved())?;
    ensure!(early == before || early == expected, "more notifications than one: {early:?}");
    Ok(Outcome::passed())
}

/// The number of notifications that each receiver has got, which must be the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    firing: usize,
    resolved: usize,
}

impl Counts {
    fn notified(self) -> Self {
        Self { firing: self.firing + 1, ..self }
    }

    fn resolved(self) -> Self {
        Self { resolved: self.resolved + 1, ..self }
    }
}

fn received(site: &Site) -> Result<Counts> {
    let [first, second] = RECEIVERS.map(|receiver| counts(site, receiver));
    let (first, second) = (first?, second?);
    // Alertmanager notifies the receivers of a route at the same time, so they may differ for a moment.
    Ok(Counts { firing: first.firing.max(second.firing), resolved: first.resolved.max(second.resolved) })
}

fn counts(site: &Site, receiver: &str) -> Result<Counts> {
    let answer = get(&format!("{}/notifications", site.stack.ports().url(Port::ProviderSim)?))?.json()?;
    let all = answer.as_array().context("the receiver returned no list")?;
    let of_alert = |notification: &&Value| {
        notification["kind"] == receiver && notification["alerts"].as_array().is_some_and(|alerts| alerts.iter().any(|name| name == ALERT))
    };
    let count = |status: &str| all.iter().filter(of_alert).filter(|notification| notification["status"] == status).count();
    Ok(Counts { firing: count("firing"), resolved: count("resolved") })
}

fn await_counts(site: &Site, what: &str, expected: Counts) -> Result<()> {
    let mut last = Vec::new();
    let arrived = wait_until(what, LIMIT, || {
        last = RECEIVERS.into_iter().map(|receiver| counts(site, receiver)).collect::<Result<_>>()?;
        ensure!(
            last.iter().all(|counts| counts.firing <= expected.firing && counts.resolved <= expected.resolved),
            "more notifications than {expected:?}: {last:?}"
        );
        Ok(last.iter().all(|counts| *counts == expected))
    });
    arrived.with_context(|| format!("{RECEIVERS:?} have {last:?} instead of {expected:?}"))
}

/// Starts the dead Alertmanager again.
pub fn come_back(site: &mut Site) -> Result<()> {
    let dead: Vec<Part> = CLUSTER.into_iter().filter(|part| !site.runs(*part)).collect();
    dead.into_iter().try_for_each(|part| site.launch(part))
}

/// Waits as long as a second notification could take, and counts all notifications.
pub fn no_duplicates(site: &Site) -> Result<Outcome> {
    await_peers(site)?;
    rest(PEER_TIMEOUT)?;
    let all = RECEIVERS.into_iter().map(|receiver| counts(site, receiver)).collect::<Result<Vec<_>>>()?;
    let expected = Counts { firing: 3, resolved: 3 };
    ensure!(all.iter().all(|counts| *counts == expected), "{RECEIVERS:?} have {all:?} instead of {expected:?}");
    Ok(Outcome::passed().with_note("3 alerts, 3 resolutions at each of 2 receivers"))
}
