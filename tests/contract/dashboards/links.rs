//! Where the links of dashboards and panels lead: within Grafana by a path, to runbooks by the variable that says where those are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{finds, hold};
use crate::files::{alerts, dashboards, items, texts_under};

/// Without escapes, and before anything else.
const RUNBOOKS: &str = "${runbooks:raw}/";

/// What stands behind a part of an address, up to the next part of it.
fn after<'a>(url: &'a str, part: &str) -> Option<&'a str> {
    url.split_once(part).and_then(|(_, rest)| rest.split(['/', '?', '#', '&']).next())
}

/// Links to dashboards, alerts and runbooks that are not there.
fn links(dashboard: &Value) -> Vec<String> {
    let uids: BTreeSet<String> = dashboards().iter().filter_map(|(_, dashboard)| dashboard["uid"].as_str().map(str::to_owned)).collect();
    let alerts: BTreeSet<String> = alerts().iter().filter_map(|rule| rule["alert"].as_str().map(str::to_owned)).collect();
    let mut faults = Vec::new();
    for url in texts_under(dashboard, "url") {
        let is_right = match url.strip_prefix(RUNBOOKS) {
            // The list of all, one by its name, or one by the name that stands in the cell. That an alert has a runbook, `runbooks` says.
            Some(runbook) => ["", "${__value.raw}"].contains(&runbook) || alerts.contains(runbook),
            None => url.starts_with("/d/") && after(&url, "/d/").is_some_and(|uid| uids.contains(uid)),
        };
        if !is_right {
            faults.push(format!("leads to {url}"));
        }
    }
    faults
}

/// The variable that says where runbooks are: of the alert that always fires, seen by nobody, and of no other dashboard.
fn place(dashboard: &Value) -> Vec<String> {
    let variable = items(&dashboard["templating"]["list"]).find(|variable| variable["name"] == "runbooks");
    let is_right = variable.is_some_and(|variable| {
        variable["query"]["query"] == "query_result(ALERTS{alertname=\"Watchdog\"})"
            && variable["regex"] == "/runbooks_url=\"([^\"]+)\"/"
            && variable["hide"] == 2
            && variable["skipUrlSync"] == true
            && variable["datasource"]["uid"] == "${datasource}"
    });
    let told = alerts().iter().any(|rule| rule["alert"] == "Watchdog" && rule["labels"]["runbooks_url"].is_string());
    assert!(told, "Watchdog says where runbooks are");
    if is_right { Vec::new() } else { vec!["does not know where runbooks are".to_owned()] }
}

#[test]
fn every_link_leads_to_what_is_there() {
    hold(links);
    let link = "/panels/2/links/0/url";
    finds(links, link, json!("/d/vitrine-nothing?var-a=b"), "leads to /d/vitrine-nothing?var-a=b");
    finds(links, link, json!("http://localhost:9090/alerts"), "leads to http://localhost:9090/alerts");
    finds(links, link, json!("monitoring/runbooks/ServiceDown.md"), "leads to monitoring/runbooks/ServiceDown.md");
    finds(links, link, json!("${runbooks:raw}/Nothing"), "leads to ${runbooks:raw}/Nothing");
}

#[test]
fn where_runbooks_are_is_asked_of_prometheus() {
    hold(place);
    let wrong = "does not know where runbooks are";
    finds(place, "/templating/list/3/skipUrlSync", json!(false), wrong);
    finds(place, "/templating/list/3/query/query", json!("query_result(up)"), wrong);
}
