//! Panels that link to the runbook of an alert on a quantile: the limit of the alert must be a threshold of the panel.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::links::RUNBOOKS;
use super::{hold, sample, shown, text, title};
use crate::files::{alerts, items};
use crate::metrics::Catalogue;
use crate::thresholds::thresholds;

/// The lowest limit of each quantile, by alert.
fn limits() -> BTreeMap<String, BTreeMap<String, f64>> {
    let catalogue = Catalogue::read();
    let mut limits: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for rule in alerts() {
        for threshold in thresholds(&text(&rule["expr"]), &catalogue) {
            let lowest = limits.entry(text(&rule["alert"])).or_default().entry(first(&threshold.expression)).or_insert(f64::INFINITY);
            *lowest = lowest.min(threshold.value);
        }
    }
    limits
}

/// The first argument of a call.
fn first(arguments: &str) -> String {
    arguments.split(',').next().unwrap_or_default().trim().to_owned()
}

/// Checks the panels that have thresholds, show quantiles and link to the runbook of an alert on quantiles. The alert must limit at least
/// one of the panel's quantiles, and each limit of these quantiles must be a threshold of the panel.
fn drawn(dashboard: &Value) -> Vec<String> {
    let limits = limits();
    let mut faults = Vec::new();
    for panel in shown(dashboard) {
        let steps = items(&panel["fieldConfig"]["defaults"]["thresholds"]["steps"]);
        let steps: Vec<String> = steps.filter_map(|step| Some(step["value"].as_f64()?.to_string())).collect();
        let queries = items(&panel["targets"]).map(|target| text(&target["expr"]));
        let quantiles: Vec<String> =
            queries.flat_map(|query| query.split("histogram_quantile(").skip(1).map(first).collect::<Vec<_>>()).collect();
        if steps.is_empty() || quantiles.is_empty() {
            continue;
        }
        for alert in items(&panel["links"]).filter_map(|link| link["url"].as_str()?.strip_prefix(RUNBOOKS)) {
            let Some(limits) = limits.get(alert) else { continue };
            let limited: Vec<String> = quantiles.iter().filter_map(|quantile| Some(limits.get(quantile)?.to_string())).collect();
            if limited.is_empty() {
                faults.push(format!("{} shows no quantile that {alert} limits", title(panel)));
            }
            let missing = limited.iter().filter(|limit| !steps.contains(limit));
            faults.extend(missing.map(|limit| format!("{} lacks the threshold {limit} of {alert}", title(panel))));
        }
    }
    faults
}

#[test]
fn a_panel_has_the_limits_of_its_alert_as_thresholds() {
    hold(drawn);
    let panel = |quantile: &str, steps: Value| {
        let mut dashboard = sample();
        let panel = &mut dashboard["panels"][2];
        panel["links"] = json!([{ "title": "Runbook", "url": format!("{RUNBOOKS}SlowDatabaseQueries") }]);
        panel["targets"][0]["expr"] =
            format!("histogram_quantile({quantile}, sum by (le) (rate(db_query_duration_seconds_bucket[5m])))").into();
        panel["fieldConfig"]["defaults"]["thresholds"] = json!({ "steps": steps });
        drawn(&dashboard)
    };
    let right = json!([{ "value": null }, { "value": 0.1 }, { "value": 0.5 }]);
    assert_eq!(panel("0.95", right.clone()), [""; 0]);
    assert_eq!(panel("0.99", right.clone()), ["Requests lacks the threshold 1 of SlowDatabaseQueries"]);
    assert_eq!(panel("0.5", right), ["Requests shows no quantile that SlowDatabaseQueries limits"]);
    assert_eq!(panel("0.95", json!([{ "value": null }])), [""; 0]);
}
