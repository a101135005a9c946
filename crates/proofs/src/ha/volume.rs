//! What the aliases cost, and what relabelling saves: measured at a Prometheus that records the aliases and scrapes the same service.

use anyhow::{Context, Result, ensure};
use devstack::process::wait_until;
use devstack::report::Outcome;
use rule_tools::rules::{self, Rule, RuleFile};

use super::answers::ask;
use super::site::{LIMIT, Part, Site};
use crate::panels::now;
use crate::prometheus::value;

const RULES: &str = "monitoring/prometheus/rules/aliases.yml";
/// The share of all series that a Prometheus saves without aliases, at least.
const LEAST_SHARE: f64 = 0.3;

/// Without the aliases, a Prometheus has the same other series and far fewer in total.
pub fn aliases(site: &Site) -> Result<Outcome> {
    let (with, without) = (site.url(Part::WithAliases)?, site.url(Part::Other)?);
    let file: RuleFile = rules::read(&devstack::paths::root().join(RULES))?;
    let names: Vec<&str> = file.groups.iter().flat_map(|group| &group.rules).map(Rule::name).collect();
    let of_aliases = format!("{{__name__=~\"{}\"}}", names.join("|"));
    ensure!(count(&without, &of_aliases)? == 0.0, "a Prometheus records aliases that nobody has asked for");
    // The last alias of the file needs two scrapes, as every rate does.
    wait_until("the aliases are recorded", LIMIT, || Ok(count(&with, "allin_nodejs_eventloop_lag_p99_seconds")? > 0.0))?;
    let mut shares = (0.0, 0.0);
    wait_until("the number of series is stable", LIMIT, || {
        let aliases = count(&with, &of_aliases)?;
        let all = count(&with, "{__name__=~\".+\"}")?;
        let is_stable = shares == (aliases, all);
        shares = (aliases, all);
        Ok(is_stable && aliases > 0.0)
    })?;
    let (aliases, all) = shares;
    let share = aliases / all;
    ensure!(share >= LEAST_SHARE, "aliases are only {:.0} % of all series: they need no switch", share * 100.0);
    Ok(Outcome::passed().with_note(format!("{aliases} of {all} series, {:.0} %, in {} names", share * 100.0, names.len())))
}

fn count(prometheus: &str, series: &str) -> Result<f64> {
    Ok(ask(prometheus, &format!("count({series})"), now(), "")?.first().map_or(0.0, |(_, count)| *count))
}

/// `metric_relabel_configs` drop most samples of the exporters, before they are stored.
pub fn relabelling(site: &Site) -> Result<Outcome> {
    let url = site.url(Part::Other)?;
    let sum = |metric: &str, jobs: &str| value(&url, &format!("sum({metric}{{{jobs}}})"))?.with_context(|| format!("no {metric}"));
    let kept =
        |jobs: &str| -> Result<f64> { Ok(sum("scrape_samples_post_metric_relabeling", jobs)? / sum("scrape_samples_scraped", jobs)?) };
    let (replicas, others) = (kept("job=\"backend\"")?, kept("job!=\"backend\"")?);
    ensure!((replicas - 1.0).abs() < f64::EPSILON, "a scrape of a replica loses samples: the exposition is used as it is");
    ensure!(others < 0.5, "{:.0} % of the exporters' samples are kept", others * 100.0);
    Ok(Outcome::passed().with_note(format!("{:.0} % of the exporters' samples, all of the replicas'", others * 100.0)))
}
