//! What dashboards are called, and where their links lead.

use std::collections::BTreeSet;

use crate::files::{dashboards, root, texts_under};

#[test]
fn every_dashboard_has_an_identifier_of_its_own() {
    let dashboards = dashboards();
    let uids: BTreeSet<&str> =
        dashboards.iter().map(|(name, dashboard)| dashboard["uid"].as_str().unwrap_or_else(|| panic!("{name} has a uid"))).collect();
    assert_eq!(uids.len(), dashboards.len());
}

#[test]
fn every_link_between_dashboards_and_to_runbooks_resolves() {
    let dashboards = dashboards();
    let uids: BTreeSet<&str> = dashboards.iter().filter_map(|(_, dashboard)| dashboard["uid"].as_str()).collect();
    for (name, dashboard) in &dashboards {
        for url in texts_under(dashboard, "url") {
            if let Some((_, rest)) = url.split_once("/d/") {
                let uid = rest.split(['/', '?']).next().unwrap_or_default();
                assert!(uids.contains(uid), "{name}.json links to the dashboard {uid}");
            }
            if let Some((_, rest)) = url.split_once("monitoring/runbooks/") {
                let runbook = rest.split(['#', '?']).next().unwrap_or_default();
                assert!(root().join("monitoring/runbooks").join(runbook).is_file(), "{name}.json links to the runbook {runbook}");
            }
        }
    }
}
