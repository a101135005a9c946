//! Checks the targets of links in dashboards and panels. A target is a dashboard, a runbook, the list of runbooks, or a query in Explore,
//! which `explore` checks. Links to dashboards are paths within Grafana; links to runbooks begin with the variable for their base URL.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::explore::EXPLORE;
use super::{finds, hold};
use crate::files::{alerts, dashboards, items, texts_under};

/// The base URL of runbooks, unescaped and at the start of the link.
pub const RUNBOOKS: &str = "${runbooks:raw}/";

/// The text between the first occurrence of `part` in a URL and the next delimiter.
fn after<'a>(url: &'a str, part: &str) -> Option<&'a str> {
    url.split_once(part).and_then(|(_, rest)| rest.split(['/', '?', '#', '&']).next())
}

/// The links with a wrong target. Right targets are existing dashboards, runbooks of existing alerts, and the list of runbooks.
fn links(dashboard: &Value) -> Vec<String> {
    let uids: BTreeSet<String> = dashboards().iter().filter_map(|(_, dashboard)| dashboard["uid"].as_str().map(str::to_owned)).collect();
    let alerts: BTreeSet<String> = alerts().iter().filter_map(|rule| rule["alert"].as_str().map(str::to_owned)).collect();
    let mut faults = Vec::new();
    for url in texts_under(dashboard, "url") {
        let is_right = match url.strip_prefix(RUNBOOKS) {
            // The list of runbooks, the runbook named in a cell of a table, or the runbook of an alert. The tests in `runbooks` check that
            // every alert has a runbook.
            Some(runbook) => ["", "${__value.raw}"].contains(&runbook) || alerts.contains(runbook),
            None => url.starts_with(EXPLORE) || url.starts_with("/d/") && after(&url, "/d/").is_some_and(|uid| uids.contains(uid)),
        };
        if !is_right {
            faults.push(format!("links to {url}"));
        }
    }
    faults
}

/// Checks the variable with the base URL of runbooks: it is hidden, and takes its value from the alert that always fires, never from the
/// URL of the dashboard.
fn runbooks_variable(dashboard: &Value) -> Vec<String> {
    let variable = items(&dashboard["templating"]["list"]).find(|variable| variable["name"] == "runbooks");
    let is_right = variable.is_some_and(|variable| {
        variable["query"]["query"] == "query_result(ALERTS{alertname=\"Watchdog\"})"
            && variable["regex"] == "/runbooks_url=\"([^\"]+)\"/"
            && variable["hide"] == 2
            && variable["skipUrlSync"] == true
            && variable["datasource"]["uid"] == "${datasource}"
    });
    let has_base_url = alerts().iter().any(|rule| rule["alert"] == "Watchdog" && rule["labels"]["runbooks_url"].is_string());
    assert!(has_base_url, "Watchdog must carry the base URL of runbooks");
    if is_right { Vec::new() } else { vec!["has no variable with the base URL of runbooks".to_owned()] }
}

#[test]
fn every_link_has_an_existing_target() {
    hold(links);
    let link = "/panels/2/links/0/url";
    finds(links, link, json!("/d/vitrine-nothing?var-a=b"), "links to /d/vitrine-nothing?var-a=b");
    finds(links, link, json!("http://localhost:9090/alerts"), "links to http://localhost:9090/alerts");
    finds(links, link, json!("monitoring/runbooks/ServiceDown.md"), "links to monitoring/runbooks/ServiceDown.md");
    finds(links, link, json!("${runbooks:raw}/Nothing"), "links to ${runbooks:raw}/Nothing");
}

#[test]
fn the_base_url_of_runbooks_comes_from_prometheus() {
    hold(runbooks_variable);
    let wrong = "has no variable with the base URL of runbooks";
    finds(runbooks_variable, "/templating/list/3/skipUrlSync", json!(false), wrong);
    finds(runbooks_variable, "/templating/list/3/query/query", json!("query_result(up)"), wrong);
}
