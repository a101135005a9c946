//! Every query of every dashboard, asked at the same time at a Prometheus and at the store to which it writes. The answers must be equal,
//! but for the reasons in `reasons`, each of which must affect at least one query.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use devstack::report::Outcome;
use rule_tools::dashboards::{self, Variables};

use super::answers::{ask, difference};
use super::reasons::{Comparison, Reason};
use super::site::{Part, SPEED_OF_OTHER, Site, pace};
use super::store::{OF_OTHER, caught_up};

/// Times before the last sample at which a query is asked, in seconds, until the answers are equal. At one time, the end of a window may
/// fall between the scrape of a target and its due time, so that one side has a sample more.
const AGES: [f64; 3] = [0.0, 2.3, 4.1];
/// The window of a rate, two scrape intervals and the greatest age. The sides extrapolate differently to the time before the first and after
/// the last sample of a series.
const SETTLED: Duration = Duration::from_secs(35);

/// Compares the answers.
pub fn compare(site: &Site) -> Result<Outcome> {
    site.settle(SETTLED)?;
    let sides = Sides { prometheus: site.url(Part::Other)?, store: site.url(Part::Store)?, at: caught_up(site)? };
    let mut needed: BTreeMap<Reason, &str> = BTreeMap::new();
    let (mut sum, mut affected) = (Outcome::default(), 0);
    let queries = queries()?;
    for (query, name) in &queries {
        let reasons = Reason::of(query);
        let differs = sides.differ(query, &reasons).with_context(|| name.clone())?;
        if let Some(why) = differs {
            eprintln!("{name}\n  {query}\n  {why}");
            sum.failed += 1;
            sum.note.clone_from(name);
            continue;
        }
        sum.passed += 1;
        affected += u64::from(!reasons.is_empty());
        let open: BTreeSet<Reason> = reasons.iter().copied().filter(|reason| !needed.contains_key(reason)).collect();
        for reason in open {
            let others: Vec<Reason> = reasons.iter().copied().filter(|other| *other != reason).collect();
            if sides.differ(query, &others)?.is_some() {
                needed.insert(reason, name);
            }
        }
    }
    for reason in Reason::ALL {
        let Some(name) = needed.get(&reason) else {
            sum.failed += 1;
            sum.note = format!("no query needs the reason {reason:?} any more");
            continue;
        };
        eprintln!("{reason:?} is needed by {name}, for example");
    }
    if sum.failed == 0 {
        sum.note = format!("{} queries, {affected} of them compared for one of {} reasons", queries.len(), Reason::ALL.len());
    }
    Ok(sum)
}

struct Sides {
    prometheus: String,
    store: String,
    at: f64,
}

impl Sides {
    /// The difference between the answers at every time; `None` if they are equal at one time.
    fn differ(&self, query: &str, reasons: &[Reason]) -> Result<Option<String>> {
        let comparison = Comparison::new(query, reasons)?;
        let mut last = None;
        for age in AGES {
            let at = self.at - age;
            let prometheus = comparison.part(ask(&self.prometheus, &comparison.prometheus, at, "")?);
            let store = comparison.part(ask(&self.store, &comparison.store, at, OF_OTHER)?);
            last = difference(&prometheus, &store, comparison.tolerance);
            if last.is_none() {
                break;
            }
        }
        Ok(last)
    }
}

/// The queries of every panel with their first place, without variables.
fn queries() -> Result<BTreeMap<String, String>> {
    let mut queries = BTreeMap::new();
    for dashboard in dashboards::committed()? {
        let variables = Variables::of(&dashboard, pace(SPEED_OF_OTHER)?)?;
        for panel in dashboard.shown() {
            for target in &panel.targets {
                let name = format!("{} / {} / {}", dashboard.title, panel.title, target.name);
                let text = variables.fill(&target.expr).with_context(|| name.clone())?;
                queries.entry(text).or_insert(name);
            }
        }
    }
    Ok(queries)
}
