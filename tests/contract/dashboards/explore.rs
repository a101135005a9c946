//! Links from panels to Explore. Their queries may use only attributes and names that spans of the service have, labels that the series of
//! the panel have, and data sources that exist.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{finds, hold, shown, text, title};
use crate::files::{items, root, texts_under, yaml};
use crate::spans::Spans;

/// The start of a link to Explore.
pub const EXPLORE: &str = "/explore?";

/// The one query of a link to Explore, with the uid of its data source, if it covers the time range of the dashboard.
fn asked(url: &str) -> Option<(String, String)> {
    let (_, panes) = form_urlencoded::parse(url.strip_prefix(EXPLORE)?.as_bytes()).find(|(name, _)| name == "panes")?;
    let pane = serde_json::from_str::<Value>(&panes).ok()?["a"].take();
    let query = &pane["queries"][0];
    let is_whole = pane["range"] == json!({ "from": "${__from}", "to": "${__to}" })
        && query["datasource"]["uid"] == pane["datasource"]
        && (query["datasource"]["type"] == "loki" || query["queryType"] == "traceql");
    is_whole.then(|| (text(&pane["datasource"]), text(&query["query"]) + &text(&query["expr"])))
}

fn links(dashboard: &Value) -> Vec<String> {
    let spans = Spans::read();
    let sources = yaml(&root().join("monitoring/grafana/provisioning/datasources/vitrine.yml"));
    let uids: BTreeSet<String> = items(&sources["datasources"]).map(|source| text(&source["uid"])).collect();
    let placeholder = Regex::new(r"\$\{__field\.labels\.(\w+)\}").unwrap();
    let mut faults = Vec::new();
    for panel in shown(dashboard) {
        for own in items(&panel["fieldConfig"]["overrides"]) {
            let target = items(&panel["targets"]).find(|target| target["refId"] == own["matcher"]["options"]);
            let legend = target.map(|target| text(&target["legendFormat"])).unwrap_or_default();
            for url in texts_under(own, "url").into_iter().filter(|url| url.starts_with(EXPLORE)) {
                let Some((source, query)) = asked(&url) else {
                    faults.push(format!("panel \"{}\" has an incomplete link to Explore", title(panel)));
                    continue;
                };
                let labels = placeholder.captures_iter(&query).map(|found| found[1].to_owned());
                let missing =
                    labels.filter(|label| !legend.contains(&format!("{{{{{label}}}}}"))).map(|label| format!("the label {label}"));
                let unknown = if source == "tempo" { spans.unknown(&query) } else { Vec::new() };
                let source = (!uids.contains(&source)).then(|| format!("the data source {source}"));
                let lacking: Vec<String> = unknown.into_iter().chain(missing).chain(source).collect();
                faults.extend(lacking.into_iter().map(|what| format!("panel \"{}\" links to Explore by {what}", title(panel))));
            }
        }
    }
    faults
}

#[test]
fn links_to_explore_use_what_spans_and_series_have() {
    hold(links);
    let faults = |source: &str, query: &str, legend: &str| {
        let pane = json!({
            "datasource": source, "range": { "from": "${__from}", "to": "${__to}" },
            "queries": [{ "refId": "A", "datasource": { "type": "tempo", "uid": source }, "queryType": "traceql", "query": query }],
        });
        let panes: String = form_urlencoded::byte_serialize(json!({ "a": pane }).to_string().as_bytes()).collect();
        let value = json!([{ "title": "Traces", "url": format!("{EXPLORE}panes={panes}") }]);
        let mut dashboard = super::sample();
        dashboard["panels"][2]["targets"][0]["legendFormat"] = json!(legend);
        dashboard["panels"][2]["fieldConfig"]["overrides"] =
            json!([{ "matcher": { "id": "byFrameRefID", "options": "A" }, "properties": [{ "id": "links", "value": value }] }]);
        links(&dashboard)
    };
    let right = r#"{ span.http.route = "${__field.labels.route}" && name =~ "(emit|deliver) .+" }"#;
    assert_eq!(faults("tempo", right, "{{route}}"), [""; 0]);
    assert_eq!(faults("tempo", right, "p95"), [r#"panel "Requests" links to Explore by the label route"#]);
    assert_eq!(faults("other", "{ }", ""), [r#"panel "Requests" links to Explore by the data source other"#]);
    assert_eq!(faults("tempo", "{ span.http.target = 1 }", ""), [r#"panel "Requests" links to Explore by http.target"#]);
    assert_eq!(faults("tempo", r#"{ name =~ "(emit|send) .+" }"#, ""), [r#"panel "Requests" links to Explore by send"#]);
    let overrides =
        json!({ "defaults": { "unit": "s" }, "overrides": [{ "properties": [{ "id": "links", "value": [{ "url": EXPLORE }] }] }] });
    finds(links, "/panels/2/fieldConfig", overrides, r#"panel "Requests" has an incomplete link to Explore"#);
}

#[test]
fn panels_on_latency_errors_jobs_and_events_link_to_traces() {
    let dashboards = crate::files::dashboards();
    for (name, panel, source) in [
        ("overview", "Latency p95", "tempo"),
        ("overview", "Failed", "loki"),
        ("http-detail", "Routes", "tempo"),
        ("http-detail", "Latency p95 by route", "tempo"),
        ("http-detail", "Errors by route and status", "tempo"),
        ("api-performance", "Errors by route", "loki"),
        ("accounts", "Failed share by kind", "loki"),
        ("accounts", "Attempt duration p95", "tempo"),
        ("realtime", "Fan-out", "tempo"),
        ("realtime", "Sent by event", "tempo"),
        ("database-cache", "Latency p95 by table", "tempo"),
    ] {
        let (_, dashboard) = dashboards.iter().find(|(file, _)| file == name).unwrap();
        let shown = shown(dashboard);
        let panel = shown.into_iter().find(|one| title(one) == panel).unwrap_or_else(|| panic!("{name}: no {panel}"));
        let sources: Vec<String> = texts_under(panel, "url").iter().filter_map(|url| Some(asked(url)?.0)).collect();
        assert!(sources.iter().any(|one| one == source), "{name}: {} does not link to {source}: {sources:?}", title(panel));
    }
}
