//! The Load test dashboard: k6's quantiles and rates cover the whole load test, the service's cover a window. The title of a panel with
//! k6's quantiles or rates ends with "whole run". No panel shows both a whole run and a window.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{finds, hold, queries, sample};
use crate::promql;

const WHOLE_RUN: &str = ", whole run";

/// Whether k6 writes a metric as one value over all samples since the run began. Queries of k6's counters can have a window.
fn is_of_the_run(metric: &str) -> bool {
    let kind = metric.strip_prefix("k6_").and_then(|rest| rest.rsplit_once('_')).map(|(_, kind)| kind);
    kind.is_some_and(|kind| kind == "rate" || kind.strip_prefix('p').is_some_and(|quantile| quantile.parse::<u8>().is_ok()))
}

fn mixed(dashboard: &Value) -> Vec<String> {
    let mut kinds: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    for (title, query) in queries(dashboard) {
        let metrics = promql::read(&query).selectors.into_iter().map(|selector| is_of_the_run(&selector.metric));
        kinds.entry(title).or_default().extend(metrics);
    }
    let fault = |(title, kinds): (String, Vec<bool>)| match (kinds.contains(&true), kinds.contains(&false)) {
        (true, true) => Some(format!("{title} mixes a whole run with a window")),
        (true, false) if !title.ends_with(WHOLE_RUN) => Some(format!("{title} lacks the whole run in its title")),
        (false, _) if title.ends_with(WHOLE_RUN) => Some(format!("{title} has the whole run in its title but shows a window")),
        _ => None,
    };
    kinds.into_iter().filter_map(fault).collect()
}

#[test]
fn panels_state_whether_they_show_a_whole_run_or_a_window() {
    hold(mixed);
    let dashboard = |title: &str, query: &str| {
        let mut dashboard = sample();
        dashboard["panels"][2]["title"] = title.into();
        dashboard["panels"][2]["targets"][0]["expr"] = query.into();
        mixed(&dashboard)
    };
    finds(mixed, "/panels/2/targets/0/expr", "max(k6_http_req_duration_p95)".into(), "Requests lacks the whole run in its title");
    assert_eq!(dashboard("Requests, whole run", "max(k6_http_req_duration_p95)"), [""; 0]);
    assert_eq!(dashboard("Checks, whole run", "min(k6_checks_rate)"), [""; 0]);
    assert_eq!(
        dashboard("Requests, whole run", "rate(k6_http_reqs_total[1m])"),
        ["Requests, whole run has the whole run in its title but shows a window"]
    );
    assert_eq!(dashboard("Both, whole run", "max(k6_http_req_duration_p95) / up"), ["Both, whole run mixes a whole run with a window"]);
}
