//! A dashboard's name and common elements: refresh, links to the other dashboards, annotations.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use vitrine::tools::DASHBOARDS;

use super::{finds, hold, text};
use crate::files::{DASHBOARD_FOLDERS, dashboard_files, dashboards, items};

/// Checks a dashboard's own attributes.
fn itself(dashboard: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for key in ["uid", "title", "description"] {
        if text(&dashboard[key]).is_empty() {
            faults.push(format!("has no {key}"));
        }
    }
    for (key, value) in [("editable", json!(false)), ("refresh", json!("30s")), ("id", Value::Null)] {
        if dashboard[key] != value {
            faults.push(format!("{key} is {} and not {value}", dashboard[key]));
        }
    }
    if !DASHBOARD_FOLDERS.iter().any(|folder| dashboard["tags"] == json!(["vitrine", folder])) {
        faults.push(format!("tags is {} and not vitrine and a folder", dashboard["tags"]));
    }
    if !text(&dashboard["time"]["from"]).starts_with("now-") || dashboard["time"]["to"] != "now" {
        faults.push("has a time range other than now-… to now".to_owned());
    }
    faults
}

/// Checks for a menu of the dashboards of each folder that keeps the selected time and variables.
fn ways(dashboard: &Value) -> Vec<String> {
    let leads = |link: &Value, folder: &str| {
        let kept = ["asDropdown", "includeVars", "keepTime"].iter().all(|key| link[key] == true);
        link["type"] == "dashboards" && link["tags"] == json!(["vitrine", folder]) && kept
    };
    let missing = DASHBOARD_FOLDERS.iter().filter(|folder| !items(&dashboard["links"]).any(|link| leads(link, folder)));
    missing.map(|folder| format!("has no menu of the folder {folder}")).collect()
}

/// Checks that deployments and alerts are drawn over all graphs.
fn annotations(dashboard: &Value) -> Vec<String> {
    let drawn = |name: &str| {
        let named = items(&dashboard["annotations"]["list"]).find(|annotation| annotation["name"] == name);
        named.is_some_and(|annotation| {
            annotation["enable"] == true && annotation["datasource"]["uid"] == "${datasource}" && !text(&annotation["expr"]).is_empty()
        })
    };
    ["Deployments", "Alerts"].into_iter().filter(|name| !drawn(name)).map(|name| format!("does not draw {name}")).collect()
}

/// Names that occur more than once.
fn doubled<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}

#[test]
fn every_dashboard_has_a_uid_a_description_and_the_common_settings() {
    hold(itself);
    finds(itself, "/uid", json!(""), "has no uid");
    finds(itself, "/description", Value::Null, "has no description");
    finds(itself, "/editable", json!(true), "editable is true and not false");
    finds(itself, "/refresh", json!("5s"), "refresh is \"5s\" and not \"30s\"");
    finds(itself, "/tags", json!(["vitrine"]), "tags is [\"vitrine\"] and not vitrine and a folder");
    finds(itself, "/time/from", json!("2026-01-01"), "has a time range other than now-… to now");
}

#[test]
fn every_dashboard_links_to_the_others() {
    hold(ways);
    finds(ways, "/links/0/keepTime", json!(false), "has no menu of the folder service");
    finds(ways, "/links/1/tags", json!(["vitrine"]), "has no menu of the folder infrastructure");
}

#[test]
fn the_folder_of_a_dashboard_is_its_second_tag() {
    for (path, (name, dashboard)) in dashboard_files().iter().zip(dashboards()) {
        let folder = path.parent().unwrap().file_name().unwrap().to_string_lossy();
        assert_eq!(dashboard["tags"][1], *folder, "{name}.json");
    }
}

#[test]
fn every_dashboard_draws_deployments_and_alerts() {
    hold(annotations);
    finds(annotations, "/annotations/list/0/expr", json!(""), "does not draw Deployments");
    finds(annotations, "/annotations/list/1/datasource/uid", json!("prometheus"), "does not draw Alerts");
}

#[test]
fn the_operators_page_lists_every_dashboard() {
    let dashboards = dashboards();
    let committed: BTreeSet<_> = dashboards.iter().map(|(_, dashboard)| (text(&dashboard["uid"]), text(&dashboard["title"]))).collect();
    let listed: BTreeSet<_> = DASHBOARDS.iter().map(|(uid, title)| ((*uid).to_owned(), (*title).to_owned())).collect();
    assert_eq!(listed, committed);
}

#[test]
fn every_dashboard_has_a_unique_identifier_and_title() {
    let dashboards = dashboards();
    for (name, dashboard) in &dashboards {
        assert_eq!(text(&dashboard["uid"]), format!("vitrine-{name}"));
    }
    assert_eq!(doubled(dashboards.iter().filter_map(|(_, dashboard)| dashboard["title"].as_str())), [""; 0]);
    assert_eq!(doubled(["a", "b", "a"].into_iter()), ["a"]);
}
