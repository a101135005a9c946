//! Where the links of dashboards and panels lead.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{finds, hold};
use crate::files::{alerts, dashboards, root, texts_under};

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
        if after(&url, "/d/").is_some_and(|uid| !uids.contains(uid))
            || after(&url, "/alerts?search=").is_some_and(|alert| !alerts.contains(alert))
        {
            faults.push(format!("leads to {url}"));
        }
    }
    for text in texts_under(dashboard, "url").into_iter().chain(texts_under(dashboard, "title")) {
        if after(&text, "monitoring/runbooks/").is_some_and(|runbook| !root().join("monitoring/runbooks").join(runbook).exists()) {
            faults.push(format!("names {text}"));
        }
    }
    faults
}

#[test]
fn every_link_leads_to_what_is_there() {
    hold(links);
    let link = "/panels/2/links/0/url";
    finds(links, link, json!("/d/vitrine-nothing?var-a=b"), "leads to /d/vitrine-nothing?var-a=b");
    finds(links, link, json!("http://localhost:9090/alerts?search=Nothing"), "leads to http://localhost:9090/alerts?search=Nothing");
    finds(links, link, json!("monitoring/runbooks/Nothing.md"), "names monitoring/runbooks/Nothing.md");
    finds(links, "/panels/2/links/0/title", json!("A: monitoring/runbooks/Nothing.md"), "names A: monitoring/runbooks/Nothing.md");
}
