//! The Prometheus above two clusters: one question to both, only recorded series, and the alert on a replica label that two servers share.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use devstack::process::wait_until;
use devstack::report::Outcome;

use super::site::{LIMIT, OTHER, Part, Site};
use crate::prometheus::{query, value};

/// A query by cluster has one answer for each, which is that of the cluster itself.
pub fn clusters(site: &Site) -> Result<Outcome> {
    let above = site.url(Part::Above)?;
    let mut found = BTreeSet::new();
    let expected = BTreeSet::from(["vitrine".to_owned(), OTHER.to_owned()]);
    let answered = wait_until("both clusters answer", LIMIT, || {
        let answers = query(&above, "cluster:http_requests:rate5m > 0")?;
        found = answers.iter().filter_map(|answer| answer["metric"]["cluster"].as_str().map(str::to_owned)).collect();
        ensure!(answers.len() == found.len(), "a cluster has several answers: {answers:?}");
        Ok(found == expected)
    });
    ensure!(answered.is_ok(), "answers of {found:?} instead of {expected:?}");
    for (cluster, part) in [("vitrine", Part::Prometheus2), (OTHER, Part::Other)] {
        let objectives = "count(count by (slo) (slo:objective:ratio{CLUSTER}))";
        let own = value(&site.url(part)?, &objectives.replace("CLUSTER", ""))?;
        let seen = value(&above, &objectives.replace("CLUSTER", &format!("cluster=\"{cluster}\"")))?;
        ensure!(own.is_some() && own == seen, "{cluster} has {own:?} objectives, seen from above {seen:?}");
        let honoured = value(&above, &format!("count(job:http_requests:rate5m{{cluster=\"{cluster}\", job=\"backend\"}})"))?;
        ensure!(honoured.is_some(), "the label job of {cluster} was overwritten");
    }
    Ok(Outcome::passed().with_note("cluster:http_requests:rate5m of 2 clusters"))
}

/// Of a cluster, only recorded series arrive: a small share of all series.
pub fn volume(site: &Site) -> Result<Outcome> {
    let above = site.url(Part::Above)?;
    let of_other = format!("{{cluster=\"{OTHER}\", source!=\"\"}}");
    let others = value(&above, "count({__name__!~\".+:.+\", cluster!=\"\", __name__!=\"ALERTS\", __name__!=\"ALERTS_FOR_STATE\"})")?;
    ensure!(others.is_none(), "{others:?} series from clusters were not recorded by a rule");
    let federated = value(&above, &format!("count({of_other})"))?.unwrap_or_default();
    let all = value(&site.url(Part::Other)?, "count({__name__=~\".+\"})")?.unwrap_or_default();
    ensure!(federated > 0.0 && federated < all / 10.0, "{federated} of {all} series are federated");
    Ok(Outcome::passed().with_note(format!("{federated} of {all} series of a cluster")))
}

/// A replica of the pair comes back with the label of the other one.
pub fn repeated_label(site: &mut Site) -> Result<Outcome> {
    let above = site.url(Part::Above)?;
    let reported = "ALERTS{alertname=\"ReplicaLabelRepeated\", alertstate=\"firing\", cluster=\"vitrine\", replica=\"2\"}";
    ensure!(query(&above, reported)?.is_empty(), "a repeated label is reported although there is none");
    site.launch_as(Part::Prometheus, "2")?;
    wait_until("ReplicaLabelRepeated fires", LIMIT, || Ok(!query(&above, reported)?.is_empty()))?;
    site.kill(Part::Prometheus)?;
    Ok(Outcome::passed())
}
