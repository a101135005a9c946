//! Proves that operators see no secret and nothing personal. Clients send canaries, which are random texts, through the edge. No canary
//! appears in a metric, log, trace, alert, mail, dashboard or argument of a process, even while handlers fail and replicas log at the level
//! `debug`. The same holds for the secrets of the stack itself. Canaries in a path are an exception: the log of the edge has them.
//!
//! `canary/journeys` plants the canaries, `canary/planted` states the rule for each kind, and `canary/places` lists where the proof
//! searches for them. `canary/receiver` keeps the traces and log lines that replicas export. Last, the proof tests its own search: without
//! the edge's filter, the search finds canaries in the log of the edge.

mod journeys;
mod places;
mod planted;
mod polling;
mod receiver;

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::form::Form;
use devstack::http::{is_ok, send};
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Port};
use devstack::process::wait_until;
use devstack::report::{Outcome, Report};
use rustix::process::Signal;

use crate::drill::test_stack::TestStack;
use crate::exposure::{self, Extent};
use crate::mails;
use journeys::Journeys;
use places::{EDGE_LOG, Place};
use planted::{Canaries, Canary, Kind};
use receiver::{Receiver, SIGNALS};

/// The monitoring runs this many times as fast as in production.
const SPEED: u32 = 3;
/// Replicas also log refusals, and export every trace and line.
const SETTINGS: [(&str, &str); 3] = [("LOG", "info,vitrine=debug"), ("OTEL_TRACES_SAMPLER_ARG", "1"), ("OTEL_LOGS_EXPORTER", "otlp")];
/// Time limit for a log line, for a mail, and for killed replicas to answer again.
const ARRIVAL_LIMIT: Duration = Duration::from_mins(1);
/// The files of the stack's secrets. The proof searches for their contents.
const SECRETS: [&str; 3] = ["password", "token_keys", "provider_sim_client_secret"];
/// The lines of the Caddyfile that keep request headers and queries out of the logs.
const FILTER: [&str; 2] = ["\t\trequest>headers delete\n", "\t\trequest>uri regexp \\?.* \"\"\n"];

/// Adds the proof to a report, on a stack of its own.
pub fn add(report: &mut Report) -> Result<()> {
    on_a_stack(report, on)
}

/// Adds this proof and the short form of [`exposure`], on one stack.
pub fn with_exposure(report: &mut Report) -> Result<()> {
    on_a_stack(report, |report, test, receiver| {
        exposure::on(report, test, Extent::Short)?;
        on(report, test, receiver)
    })
}

fn on_a_stack(report: &mut Report, proof: impl FnOnce(&mut Report, &mut TestStack, &Receiver) -> Result<()>) -> Result<()> {
    let receiver = Receiver::start()?;
    let endpoint = receiver.url();
    let settings = [&SETTINGS[..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]].concat();
    let folder = paths::temporary("canary")?;
    let started = report.obtain("a whole stack that logs at the level debug", || {
        Ok((TestStack::start_with(folder.path().to_owned(), SPEED, Form::Demo, &settings)?, Outcome::passed()))
    })?;
    match started {
        Some(mut test) => proof(report, &mut test, &receiver),
        None => Ok(()),
    }
}

/// Adds the proof to a report, on a running stack with [`SETTINGS`] that exports to the receiver.
fn on(report: &mut Report, test: &mut TestStack, receiver: &Receiver) -> Result<()> {
    let mut planted = Canaries::default();
    report.step("canaries are planted through the edge", || {
        planted = Journeys::travel(test)?;
        without_replicas(test, &mut planted).context("requests without replicas")?;
        for name in SECRETS {
            let secret = fs::read_to_string(test.folder().join("secrets").join(name)).with_context(|| format!("no secret {name}"))?;
            planted.keep(Kind::Secret, "secret of the stack", secret.trim());
        }
        let counts = Kind::ALL.map(|kind| format!("{} {}", planted.of(kind).count(), kind.name()));
        Ok(Outcome::passed().with_note(counts.join(", ")))
    })?;
    report.step("the access log has the paths, targets are scraped, a mail has arrived", || arrived(test, &planted))?;
    report.step("no canary in metrics", || search(&planted, &places::metrics(test)?))?;
    report.step("no canary in logs, except paths in the access log", || search(&planted, &places::logs(test)?))?;
    report.step("the receiver has traces and log lines of the journeys", || exported(receiver))?;
    report.step("no canary in exported traces and log lines", || search(&planted, &receiver.places()))?;
    report.step("no canary in alerts and their mail", || search(&planted, &places::alerts(test)?))?;
    report.step("no canary in dashboards", || match places::dashboards(test)? {
        places if places.is_empty() => Ok(Outcome::skipped("SKIPPED: no Grafana here; dashboards query the series searched above")),
        places => search(&planted, &places),
    })?;
    report.step("no canary in the arguments of processes", || search(&planted, &places::arguments()?))?;
    report.step("without its filter the edge logs canaries", || without_filter(test))
}

/// Sends a request while no replica answers, so that the edge itself reports an error.
fn without_replicas(test: &mut TestStack, planted: &mut Canaries) -> Result<()> {
    let edge = test.stack.edge()?;
    let (query, key) =
        (planted.plant(Kind::Secret, "token in a query without replicas")?, planted.plant(Kind::Secret, "header without replicas")?);
    for number in 1..=MAX_REPLICAS {
        test.stack.signal(&format!("backend-{number}"), Signal::KILL)?;
    }
    let failed = send("GET", &format!("{edge}/api/auth/me?token={query}"), &[("x-api-key", &key), ("referer", &key)], None)?;
    ensure!(matches!(failed.status, 502 | 503), "the edge returned {}", failed.status);
    wait_until("replicas answer again", ARRIVAL_LIMIT, || {
        test.stack.keep_running()?;
        Ok(is_ok(&format!("{edge}/health")))
    })
}

/// Waits until the access log has the paths, then until every target has been scraped again, then until an alert has sent mail.
fn arrived(test: &TestStack, planted: &Canaries) -> Result<Outcome> {
    let paths: Vec<&Canary> = planted.of(Kind::Path).collect();
    ensure!(!paths.is_empty(), "no canary is in a path, so nothing would show that the search works");
    wait_until("the edge has logged the paths", ARRIVAL_LIMIT, || {
        let log = fs::read_to_string(test.folder().join("logs").join(EDGE_LOG))?;
        Ok(paths.iter().all(|canary| canary.is_in(&log)))
    })?;
    test.wait_for_scrapes()?;
    let sink = test.url(Port::MailPage)?;
    wait_until("an alert sends mail", ARRIVAL_LIMIT, || Ok(!mails::of_firing_alerts(&sink)?.is_empty()))?;
    Ok(Outcome::passed().with_note("a log line, a scrape and a mail"))
}

/// Waits until the receiver has what the journeys must have caused; passes when the search finds it in the bytes of each signal.
fn exported(receiver: &Receiver) -> Result<Outcome> {
    wait_until("replicas have exported traces and log lines", ARRIVAL_LIMIT, || {
        let finds = |place: &Place, texts: &[&str]| {
            let mut expected = Canaries::default();
            for text in texts {
                expected.keep(Kind::Request, "an expected text", *text);
            }
            found(&expected, place).count() == texts.len()
        };
        Ok(receiver.places().iter().zip(&SIGNALS).all(|(place, (_, texts))| finds(place, texts)))
    })?;
    let sizes = receiver.places().into_iter().map(|place| format!("{} KB {}", place.text.len() >> 10, place.name));
    Ok(Outcome::passed().with_note(sizes.collect::<Vec<_>>().join(", ")))
}

/// Searches each place for the canaries. The outcome counts each place as one check.
fn search(planted: &Canaries, places: &[Place]) -> Result<Outcome> {
    ensure!(!places.is_empty(), "there is no place to search");
    let found: Vec<Vec<String>> = places.iter().map(|place| found(planted, place).collect()).collect();
    for line in found.iter().flatten() {
        eprintln!("found: {line}");
    }
    let failed = u64::try_from(found.iter().filter(|lines| !lines.is_empty()).count())?;
    let note = found.iter().flatten().next().cloned().unwrap_or_else(|| format!("{} places", places.len()));
    Ok(Outcome { passed: u64::try_from(places.len())? - failed, failed, ..Outcome::default() }.with_note(note))
}

/// The canaries in a place where the rule of their kind forbids them.
fn found(planted: &Canaries, place: &Place) -> impl Iterator<Item = String> {
    let kinds = Kind::ALL.into_iter().filter(move |kind| *kind != Kind::Path || place.name != EDGE_LOG);
    let found = kinds.flat_map(move |kind| planted.of(kind)).filter(move |canary| canary.is_in(&place.text));
    found.map(move |canary| {
        let line = place.text.lines().find(|line| canary.is_in(line)).unwrap_or_default();
        // The line may be printed: the canary is random, and no other run uses it.
        format!("{}: {} ({}): {}", place.name, canary.what, canary.kind.name(), line.chars().take(300).collect::<String>())
    })
}

/// Runs the edge with a copy of the Caddyfile without the filter; passes when the log then has a header and a query.
fn without_filter(test: &TestStack) -> Result<Outcome> {
    let source = fs::read_to_string(paths::root().join("Caddyfile"))?;
    ensure!(FILTER.iter().all(|line| source.matches(line).count() == 1), "the Caddyfile has another filter than {FILTER:?}");
    let changed = test.folder().join("Caddyfile");
    fs::write(&changed, FILTER.iter().fold(source, |text, line| text.replace(line, "")))?;
    test.stack.reload_edge_from(&changed)?;
    let mut canaries = Canaries::default();
    let (query, header) = (canaries.plant(Kind::Secret, "a query")?, canaries.plant(Kind::Request, "a header")?);
    send("GET", &format!("{}/version?token={query}", test.stack.edge()?), &[("user-agent", &header)], None)?;
    let noticed = wait_until("the search finds both", ARRIVAL_LIMIT, || {
        let log = fs::read_to_string(test.folder().join("logs").join(EDGE_LOG))?;
        Ok(found(&canaries, &Place { name: EDGE_LOG.to_owned(), text: log }).count() == 2)
    });
    test.stack.reload_edge()?;
    noticed.map(|()| Outcome::passed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_access_log_may_have_a_path_and_no_place_may_have_anything_else() {
        let mut canaries = Canaries::default();
        for kind in Kind::ALL {
            canaries.keep(kind, "a text", format!("canary-{}", kind.name()));
        }
        let text = Kind::ALL.map(|kind| format!("line with canary-{}\n", kind.name())).concat();
        let count = |name: &str| found(&canaries, &Place { name: name.to_owned(), text: text.clone() }).count();
        assert_eq!(count(EDGE_LOG), 3);
        assert_eq!(count("backend-1.log"), 4);
        let outcome =
            search(&canaries, &[Place { name: "a".to_owned(), text: text.clone() }, Place { name: "b".to_owned(), text: String::new() }]);
        assert_eq!((outcome.unwrap().failed, search(&canaries, &[]).is_err()), (1, true));
    }
}
