//! Proves that the monitoring survives the loss of one of its servers, and that it grows beyond one: a pair of Prometheus with a cluster of
//! two Alertmanagers, a Prometheus above two clusters, and a long-term store. All run as local processes with the files of
//! `monitoring/ha/`, beside a whole service, ten times as fast as in production.
//!
//! `ha/site` starts and kills the processes, `ha/files` has their flags and configuration, `ha/pair` makes alerts fire while servers die,
//! `ha/above` asks about several clusters, `ha/store` looks for gaps in the store, `ha/dashboards` compares its answers (`ha/answers`) with
//! those of Prometheus, from which they may differ for the reasons in `ha/reasons`, and `ha/volume` measures what the aliases cost.

mod above;
mod answers;
mod dashboards;
mod files;
mod pair;
mod reasons;
mod site;
mod store;
mod volume;

use anyhow::Result;
use devstack::paths;
use devstack::report::{Outcome, Report};
use devstack::stack::PROGRAMS;
use devstack::tools::{PROMTOOL, Tool, VICTORIA_METRICS};

use crate::deploy::monitoring as generated;
use site::{Part, Site};

/// The extent of the proof.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// One alert, during which a Prometheus and an Alertmanager are killed.
    Short,
    /// Everything.
    Whole,
}

/// The tools that the proof needs.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    PROGRAMS.into_iter().chain([&PROMTOOL, &VICTORIA_METRICS]).collect()
}

/// Adds the proof to a report.
pub fn add(report: &mut Report, extent: Extent) -> Result<()> {
    generated::add(report)?;
    report.step("promtool accepts the files", files::check)?;
    let folder = paths::temporary("ha")?;
    let started = report.obtain("a service with its exporters", || Ok((Site::start(folder.path())?, Outcome::passed())))?;
    let Some(mut site) = started else { return Ok(()) };
    match extent {
        Extent::Short => {
            report.step("two Alertmanagers see each other", || pair::start(&mut site))?;
            report.step("both Prometheus scrape every target", || site.start_scraping(&[Part::Prometheus, Part::Prometheus2]))?;
            report.step("killed before the notification: one page, one resolution", || pair::killed_during(&mut site))
        }
        Extent::Whole => whole(report, &mut site),
    }
}

fn whole(report: &mut Report, site: &mut Site) -> Result<()> {
    report.step("an Alertmanager starts before its peer, which then joins", || pair::join(site))?;
    report.step("a pair, another cluster, and the Prometheus above scrape every target", || {
        site.launch(Part::Store)?;
        site.launch(Part::Above)?;
        site.start_scraping(&[Part::Prometheus, Part::Prometheus2, Part::Other])
    })?;
    let away = report.obtain("all alive, the store stopped for 10 s: one page, one resolution", || store::away(site))?;
    report.step("killed before the notification: one page, one resolution", || pair::killed_during(site))?;
    report.step("killed before the alert: one page, one resolution", || pair::killed_before(site))?;
    report.step("the dead Alertmanager comes back, and a Prometheus with aliases starts", || {
        pair::come_back(site)?;
        site.launch(Part::WithAliases)?;
        Ok(Outcome::passed())
    })?;
    report.step("two servers with the same replica label are reported", || above::repeated_label(site))?;
    report.step("still one page and one resolution for each alert", || pair::no_duplicates(site))?;
    report.step("a question about two clusters", || above::clusters(site))?;
    report.step("the Prometheus above has recorded series only", || above::volume(site))?;
    if let Some(away) = away {
        report.step("the store caught up without a gap", || store::no_gap(site, &away))?;
    }
    report.step("a pair counts once in the store", || store::counts_once(site))?;
    report.step("aliases: the share of all series", || volume::aliases(site))?;
    report.step("relabelling: the share of scraped samples that is kept", || volume::relabelling(site))?;
    // Last, because it waits until nothing has changed for a while.
    report.step("the queries of the dashboards have the same answers", || dashboards::compare(site))
}
