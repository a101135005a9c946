//! What a reader chooses at the top of a dashboard: where the choices come from, what is chosen at first, and that it matters.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{finds, hold, queries, text};
use crate::files::items;
use crate::metrics::Catalogue;
use crate::promql;

/// What links begin with and no query asks for; see `links`.
const PLACE: &str = "runbooks";

fn declared(dashboard: &Value) -> Vec<&Value> {
    items(&dashboard["templating"]["list"]).collect()
}

/// The names of the variables in a text, but for Grafana's own.
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

/// The Prometheus that is chosen at first is the provisioned one.
fn source(dashboard: &Value) -> Vec<String> {
    let variables = declared(dashboard);
    let has = |key: &str, value: &str| variables.first().is_some_and(|first| first[key] == value);
    let is_first = has("name", "datasource") && has("type", "datasource") && has("query", "prometheus");
    if is_first { Vec::new() } else { vec!["lets nobody choose the data source first".to_owned()] }
}

/// All is chosen at first, several can be, and choices are renewed with the shown time.
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
    wrong.map(|variable| format!("does not let one choose {} well", text(&variable["name"]))).collect()
}

/// What is asked for with a variable can be chosen, and what can be chosen is asked for.
fn use_of(dashboard: &Value) -> Vec<String> {
    let declared: BTreeSet<String> = declared(dashboard).into_iter().map(|variable| text(&variable["name"])).collect();
    let named: BTreeSet<String> = queries(dashboard).iter().flat_map(|(_, query)| named(query)).collect();
    let missing = named.difference(&declared).map(|name| format!("asks for ${name}, which nobody chooses"));
    let unused = declared
        .difference(&named)
        .filter(|name| !["datasource", PLACE].contains(&name.as_str()))
        .map(|name| format!("does not ask for ${name}"));
    missing.chain(unused).collect()
}

#[test]
fn the_data_source_is_chosen_first() {
    hold(source);
    finds(source, "/templating/list/0/query", json!("loki"), "lets nobody choose the data source first");
}

#[test]
fn all_of_what_there_is_can_be_chosen() {
    hold(chosen);
    let route = "does not let one choose route well";
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
    finds(use_of, "/panels/1/targets/0/expr", json!(expression), "asks for $path, which nobody chooses");
    finds(use_of, "/panels/2/targets/0/expr", json!("up"), "does not ask for $route");
}
