//! Rules for panels: each has a unique number (Grafana's `id`), a title and a description; values have units, and graphs have legends.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{all, finds, hold, shown, text, title};
use crate::files::items;

/// Grafana's names of the units that panels may use.
const UNITS: &str = "none short percent percentunit bytes decbytes Bps binBps s ms dtdurations ops reqps rps wps cps opm cpm iops \
                     dateTimeFromNow dateTimeAsIso bool_yes_no";
/// Kinds of panels whose values need a unit.
const MEASURING: [&str; 9] = ["stat", "gauge", "bargauge", "timeseries", "table", "heatmap", "piechart", "histogram", "barchart"];

/// Unique numbers: causes identify panels by their numbers.
fn numbers(dashboard: &Value) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let is_bad = |panel: &&Value| panel["id"].as_u64().is_none_or(|id| id == 0 || !seen.insert(id));
    all(dashboard).into_iter().filter(is_bad).map(|panel| format!("{} has no unique number", title(panel))).collect()
}

/// Titles and descriptions.
fn words(dashboard: &Value) -> Vec<String> {
    let untitled = all(dashboard).into_iter().filter(|panel| panel["type"] != "text" && text(&panel["title"]).is_empty());
    let unexplained = shown(dashboard).into_iter().filter(|panel| text(&panel["description"]).is_empty());
    let untitled = untitled.map(|panel| format!("{} has no title", title(panel)));
    untitled.chain(unexplained.map(|panel| format!("{} has no description", title(panel)))).collect()
}

/// Unique titles: messages identify panels by their titles.
fn titles(dashboard: &Value) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let again = shown(dashboard).into_iter().map(title).filter(|title| !seen.insert(title.clone()));
    again.map(|title| format!("{title} exists twice")).collect()
}

fn units(dashboard: &Value) -> Vec<String> {
    let has_unit = |panel: &Value| {
        let overridden = items(&panel["fieldConfig"]["overrides"]).flat_map(|one| items(&one["properties"]));
        let units: Vec<_> = overridden.filter(|property| property["id"] == "unit").map(|property| &property["value"]).collect();
        let own = [&panel["fieldConfig"]["defaults"]["unit"], &panel["options"]["yAxis"]["unit"]];
        let is_one = |unit: &Value| unit.as_str().is_some_and(|unit| UNITS.split(' ').any(|known| known == unit));
        let is_named = own.iter().any(|unit| is_one(unit)) || panel["type"] == "table" && units.iter().any(|unit| is_one(unit));
        is_named && units.iter().all(|unit| is_one(unit))
    };
    let measuring = shown(dashboard).into_iter().filter(|panel| MEASURING.iter().any(|kind| panel["type"] == *kind));
    measuring.filter(|panel| !has_unit(panel)).map(|panel| format!("{} has no known unit", title(panel))).collect()
}

/// The legend of a graph shows at least one value for each line, such as its last or total value. Only a graph with a single query may
/// hide its legend.
fn legends(dashboard: &Value) -> Vec<String> {
    let is_told = |panel: &&Value| {
        let legend = &panel["options"]["legend"];
        let is_shown = legend["showLegend"] != false && legend["displayMode"] != "hidden";
        if is_shown { items(&legend["calcs"]).next().is_some() } else { items(&panel["targets"]).count() == 1 }
    };
    let graphs = shown(dashboard).into_iter().filter(|panel| panel["type"] == "timeseries");
    graphs.filter(|panel| !is_told(panel)).map(|panel| format!("{} has no legend for its lines", title(panel))).collect()
}

#[test]
fn every_panel_has_a_unique_number() {
    hold(numbers);
    finds(numbers, "/panels/2/id", json!(2), "Requests has no unique number");
    finds(numbers, "/panels/2/id", Value::Null, "Requests has no unique number");
}

#[test]
fn every_panel_has_a_title_and_a_description() {
    hold(words);
    finds(words, "/panels/0/title", json!(""), "panel 1 has no title");
    finds(words, "/panels/1/description", json!(""), "Replicas has no description");
}

#[test]
fn titles_are_unique() {
    hold(titles);
    finds(titles, "/panels/1/title", json!("Requests"), "Requests exists twice");
}

#[test]
fn every_value_has_a_unit() {
    hold(units);
    finds(units, "/panels/2/fieldConfig/defaults/unit", Value::Null, "Requests has no known unit");
    finds(units, "/panels/2/fieldConfig/defaults/unit", json!("requests"), "Requests has no known unit");
    let overridden = json!({ "defaults": { "unit": "s" }, "overrides": [{ "properties": [{ "id": "unit", "value": "seconds" }] }] });
    finds(units, "/panels/2/fieldConfig", overridden, "Requests has no known unit");
}

#[test]
fn graphs_have_a_legend_for_their_lines() {
    hold(legends);
    finds(legends, "/panels/2/options/legend/calcs", json!([]), "Requests has no legend for its lines");
    let two = json!([{ "refId": "A" }, { "refId": "B" }]);
    let hidden = json!({ "legend": { "showLegend": false } });
    let mut dashboard = super::sample();
    dashboard["panels"][2]["options"] = hidden;
    assert_eq!(legends(&dashboard), [""; 0]);
    dashboard["panels"][2]["targets"] = two;
    assert_eq!(legends(&dashboard), ["Requests has no legend for its lines"]);
}
