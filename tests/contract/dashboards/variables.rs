//! The variables of dashboards: the source of their values, their defaults, and their use in queries.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{finds, hold, queries, text};
use crate::files::items;
use crate::metrics::Catalogue;
use crate::promql;

/// The variable with the base URL of runbooks. Links begin with it, and no query uses it; see `links`.
const PLACE: &str = "runbooks";

fn declared(dashboard: &Value) -> Vec<&Value> {
    items(&dashboard["templating"]["list"]).collect()
}

/// The names of the variables in a text, except for Grafana's own.
fn named(text: &str) -> BTreeSet<String> {
    let names = text.split('$').skip(1).map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default()
    });
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic())).map(str::to_owned).collect()
}

/// The series and the label of `label_values`.
fn choices(query: &str) -> Option<(&str, &str)> {
    let (series, label) = query.strip_prefix("label_values(")?.strip_suffix(')')?.rsplit_once(',')?;
    Some((series.trim(), label.trim()))
}

/// The first variable must select a data source of the type Prometheus.
fn source(dashboard: &Value) -> Vec<String> {
    let variables = declared(dashboard);
    let has = |key: &str, value: &str| variables.first().is_some_and(|first| first[key] == value);
    let is_first = has("name", "datasource") && has("type", "datasource") && has("query", "prometheus");
    if is_first { Vec::new() } else { vec!["does not begin with the variable for the data source".to_owned()] }
}

/// A variable offers the label values of one known metric, and reads them again when the time range changes. All values are selected by
/// default, and users can select several.
fn chosen(dashboard: &Value) -> Vec<String> {
    let asking = declared(dashboard).into_iter().filter(|variable| variable["type"] == "query" && variable["name"] != PLACE);
    let is_right = |variable: &Value| {
        let query = text(&variable["query"]["query"]);
        let knows = choices(&query).is_some_and(|(series, label)| {
            let catalogue = Catalogue::read();
            let known = |metric: &str| metric == "up" || catalogue.row(metric).is_some();
            let asked = promql::read(series).selectors;
            asked.len() == 1 && known(&asked[0].metric) && catalogue.has_label(&asked[0].metric, label) && !asked[0].matchers.is_empty()
        });
        let is_all = variable["current"]["value"] == json!(["$__all"]) && variable["allValue"] == ".*";
        let is_free = variable["multi"] == true && variable["includeAll"] == true;
        knows && is_all && is_free && variable["refresh"] == 2 && variable["datasource"]["uid"] == "${datasource}"
    };
    let wrong = asking.filter(|variable| !is_right(variable));
    wrong.map(|variable| format!("has a wrong definition of {}", text(&variable["name"]))).collect()
}

/// Every variable that a query uses is declared, and queries use every declared variable except those for the data source and the runbooks.
fn use_of(dashboard: &Value) -> Vec<String> {
    let declared: BTreeSet<String> = declared(dashboard).into_iter().map(|variable| text(&variable["name"])).collect();
    let named: BTreeSet<String> = queries(dashboard).iter().flat_map(|(_, query)| named(query)).collect();
    let missing = named.difference(&declared).map(|name| format!("uses the undeclared ${name}"));
    let unused = declared
        .difference(&named)
        .filter(|name| !["datasource", PLACE].contains(&name.as_str()))
        .map(|name| format!("does not use ${name}"));
    missing.chain(unused).collect()
}

#[test]
fn the_data_source_is_chosen_first() {
    hold(source);
    finds(source, "/templating/list/0/query", json!("loki"), "does not begin with the variable for the data source");
}

#[test]
fn variables_offer_all_existing_values() {
    hold(chosen);
    let route = "has a wrong definition of route";
    finds(chosen, "/templating/list/2/refresh", json!(1), route);
    finds(chosen, "/templating/list/2/allValue", Value::Null, route);
    finds(chosen, "/templating/list/2/multi", json!(false), route);
    finds(chosen, "/templating/list/2/current/value", json!(["/"]), route);
    finds(chosen, "/templating/list/2/datasource/uid", json!("prometheus"), route);
    for series in ["http_requests_total{job=\"backend\"}, root", "http_request_total{job=\"backend\"}, route", "http_requests_total, route"]
    {
        let query = format!("label_values({series})");
        finds(chosen, "/templating/list/2/query/query", json!(query), route);
    }
}

#[test]
fn variables_are_used_and_declared() {
    hold(use_of);
    let expression = r#"up{instance=~"$instance", path="${path}"}[$__range]"#;
    finds(use_of, "/panels/1/targets/0/expr", json!(expression), "uses the undeclared $path");
    finds(use_of, "/panels/2/targets/0/expr", json!("up"), "does not use $route");
}
