//! Queries of panels: they use the selected data source and replicas, match on the job, and query counters only for their growth.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{finds, hold, queries, shown, text, title};
use crate::files::items;
use crate::metrics::Catalogue;
use crate::promql::{self, Selector};

/// Functions for the growth of a counter.
const GROWTH: [&str; 5] = ["rate", "irate", "increase", "changes", "resets"];
/// The functions of `GROWTH` that show the speed at a moment; the window `$__range` is too long for them.
const SPEEDS: [&str; 2] = ["rate", "irate"];
/// Gauges whose names end like the names of counters; exporters chose these names.
const CALLED_COUNTERS: [&str; 2] = ["pg_stat_activity_count", "pg_locks_count"];
/// Prefixes of the names of series that no job scrapes, because Prometheus' rules or k6 write them.
const WITHOUT_JOB: [&str; 2] = ["ALERTS", "k6_"];

/// Every selector, with the panel's title.
fn selectors(dashboard: &Value) -> Vec<(String, Selector)> {
    let of = |(title, query): (String, String)| promql::read(&query).selectors.into_iter().map(move |selector| (title.clone(), selector));
    queries(dashboard).into_iter().flat_map(of).collect()
}

fn matcher<'a>(selector: &'a Selector, label: &str) -> Option<(&'a str, &'a str)> {
    let found = selector.matchers.iter().find(|(name, _, _)| name == label);
    found.map(|(_, operator, value)| (operator.as_str(), value.as_str()))
}

/// Whether a name contains a colon, as those of recorded series do.
fn is_recorded(metric: &str) -> bool {
    metric.contains(':')
}

fn is_counter(metric: &str, catalogue: &Catalogue) -> bool {
    let is_called_so = ["_total", "_count", "_sum", "_bucket"].iter().any(|end| metric.ends_with(end));
    let is_one = match catalogue.row(metric) {
        Some(row) => row.kind == "counter" || row.kind == "histogram" && is_called_so,
        None => is_called_so,
    };
    is_one && !is_recorded(metric) && !CALLED_COUNTERS.contains(&metric)
}

/// Panels and queries use the variable for the data source, so that another Prometheus can be selected.
fn sources(dashboard: &Value) -> Vec<String> {
    let of = |panel: &Value| {
        let sources = [panel].into_iter().chain(items(&panel["targets"])).map(|part| &part["datasource"]);
        let is_chosen = |source: &Value| source["type"] == "prometheus" && source["uid"] == "${datasource}";
        (!sources.into_iter().all(is_chosen)).then(|| format!("panel \"{}\" does not use the selected data source", title(panel)))
    };
    shown(dashboard).into_iter().filter_map(of).collect()
}

/// Every panel has queries with distinct names and balanced brackets.
fn wholeness(dashboard: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for panel in shown(dashboard) {
        let mut names = BTreeSet::new();
        let asked: Vec<&Value> = items(&panel["targets"]).collect();
        let is_whole = |target: &&Value| promql::is_closed(&text(&target["expr"])) && names.insert(text(&target["refId"]));
        if asked.is_empty() || !asked.iter().all(is_whole) {
            faults.push(format!("panel \"{}\" has no query, an invalid query, or two queries with the same refId", title(panel)));
        }
    }
    faults
}

fn growth(dashboard: &Value) -> Vec<String> {
    let catalogue = Catalogue::read();
    let grows = |selector: &Selector| selector.function.as_deref().is_some_and(|function| GROWTH.contains(&function));
    let asked = selectors(dashboard).into_iter().filter(|(_, selector)| is_counter(&selector.metric, &catalogue) && !grows(selector));
    asked.map(|(title, selector)| format!("panel \"{title}\" does not query the growth of {}", selector.metric)).collect()
}

/// The windows of `GROWTH` functions are variables of Grafana: a fixed window would be too short or too long for another time range or
/// scrape interval.
fn windows(dashboard: &Value) -> Vec<String> {
    let is_right = |selector: &Selector| {
        let function = selector.function.as_deref().unwrap_or_default();
        let range = selector.range.as_deref();
        !GROWTH.contains(&function) || range == Some("$__rate_interval") || range == Some("$__range") && !SPEEDS.contains(&function)
    };
    let wrong = selectors(dashboard).into_iter().filter(|(_, selector)| !is_right(selector));
    wrong
        .map(|(title, selector)| {
            format!("panel \"{title}\" uses the window {} for {}", selector.range.unwrap_or_default(), selector.metric)
        })
        .collect()
}

/// Selectors match on the job, because several programs may have metrics of the same name.
fn jobs(dashboard: &Value) -> Vec<String> {
    let has_none = |metric: &str| is_recorded(metric) || WITHOUT_JOB.iter().any(|start| metric.starts_with(start));
    let asked = selectors(dashboard).into_iter().filter(|(_, selector)| !has_none(&selector.metric) && matcher(selector, "job").is_none());
    asked.map(|(title, selector)| format!("panel \"{title}\" queries every job for {}", selector.metric)).collect()
}

/// If a dashboard lets users select replicas, its queries of the service's series use this selection. Series that one replica reports
/// for the whole fleet are exempt.
fn replicas(dashboard: &Value) -> Vec<String> {
    if !items(&dashboard["templating"]["list"]).any(|variable| variable["name"] == "instance") {
        return Vec::new();
    }
    let catalogue = Catalogue::read();
    let is_of_all = |metric: &str| catalogue.row(metric).is_some_and(|row| row.help.contains("across the whole fleet"));
    let is_free = |selector: &Selector| {
        let is_ours = matcher(selector, "job") == Some(("=", "backend"));
        is_ours && !is_of_all(&selector.metric) && matcher(selector, "instance") != Some(("=~", "$instance"))
    };
    let asked = selectors(dashboard).into_iter().filter(|(_, selector)| is_free(selector));
    asked.map(|(title, selector)| format!("panel \"{title}\" queries every replica for {}", selector.metric)).collect()
}

const EXPR: &str = "/panels/1/targets/0/expr";

#[test]
fn panels_query_the_chosen_data_source() {
    hold(sources);
    finds(sources, "/panels/1/datasource/uid", json!("prometheus"), r#"panel "Replicas" does not use the selected data source"#);
    finds(sources, "/panels/1/targets/0/datasource", Value::Null, r#"panel "Replicas" does not use the selected data source"#);
}

#[test]
fn panels_have_a_query() {
    hold(wholeness);
    finds(
        wholeness,
        "/panels/1/targets",
        json!([]),
        r#"panel "Replicas" has no query, an invalid query, or two queries with the same refId"#,
    );
    finds(wholeness, EXPR, json!(""), r#"panel "Replicas" has no query, an invalid query, or two queries with the same refId"#);
    finds(
        wholeness,
        EXPR,
        json!("sum(up{job=\"a\"}"),
        r#"panel "Replicas" has no query, an invalid query, or two queries with the same refId"#,
    );
    let same = json!([{ "refId": "A", "expr": "up" }, { "refId": "A", "expr": "up" }]);
    finds(wholeness, "/panels/1/targets", same, r#"panel "Replicas" has no query, an invalid query, or two queries with the same refId"#);
}

#[test]
fn counters_are_queried_for_their_growth() {
    hold(growth);
    finds(growth, EXPR, json!("sum(visits_total)"), r#"panel "Replicas" does not query the growth of visits_total"#);
    let highest = "max_over_time(db_pool_wait_seconds_count[5m])";
    finds(growth, EXPR, json!(highest), r#"panel "Replicas" does not query the growth of db_pool_wait_seconds_count"#);
}

#[test]
fn rates_use_the_window_that_grafana_provides() {
    hold(windows);
    finds(windows, EXPR, json!("rate(a_total[5m])"), r#"panel "Replicas" uses the window 5m for a_total"#);
    finds(windows, EXPR, json!("rate(a_total[$__range])"), r#"panel "Replicas" uses the window $__range for a_total"#);
    finds(windows, EXPR, json!("increase(a_total[1h])"), r#"panel "Replicas" uses the window 1h for a_total"#);
    let mut dashboard = super::sample();
    dashboard["panels"][1]["targets"][0]["expr"] = json!("increase(a_total[$__range]) + max_over_time(b[1h])");
    assert_eq!(windows(&dashboard), [""; 0]);
}

#[test]
fn every_query_selects_a_job() {
    hold(jobs);
    finds(jobs, EXPR, json!("k6_vus + job:up:sum + process_threads"), r#"panel "Replicas" queries every job for process_threads"#);
}

#[test]
fn queries_of_the_service_select_the_chosen_replicas() {
    hold(replicas);
    finds(replicas, EXPR, json!(r#"up{job="node"} + up{job="backend"}"#), r#"panel "Replicas" queries every replica for up"#);
    let of_all = r#"up{job="backend", instance="a"} + auth_sessions_active{job="backend"}"#;
    finds(replicas, EXPR, json!(of_all), r#"panel "Replicas" queries every replica for up"#);
}
