//! The fields of a dashboard that checks and proofs read.

use serde::Deserialize;
use serde_json::Value;

/// A dashboard.
#[derive(Deserialize)]
pub struct Dashboard {
    /// Its identifier, also used in links.
    pub uid: String,
    /// Its displayed name.
    pub title: String,
    pub(super) time: Span,
    pub(super) templating: List<Variable>,
    annotations: List<Annotation>,
    panels: Vec<Panel>,
}

/// The displayed time range.
#[derive(Deserialize)]
pub(super) struct Span {
    pub(super) from: String,
}

#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) list: Vec<T>,
}

/// A variable of a dashboard, which queries can use.
#[derive(Deserialize)]
pub(super) struct Variable {
    pub(super) name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    pub(super) query: Value,
    /// A pattern that extracts the value from the query's result.
    #[serde(default)]
    regex: String,
    #[serde(default)]
    pub(super) current: Value,
    #[serde(default, rename = "allValue")]
    pub(super) all_value: Option<String>,
}

/// Events marked on all graphs of a dashboard.
#[derive(Deserialize)]
pub struct Annotation {
    /// Its displayed name.
    pub name: String,
    /// Its query.
    #[serde(default)]
    pub expr: String,
}

/// A panel, or a row of panels.
#[derive(Deserialize)]
pub struct Panel {
    /// Its number, unique within its dashboard.
    pub id: u32,
    /// Its displayed name.
    #[serde(default)]
    pub title: String,
    #[serde(rename = "type")]
    kind: String,
    /// Its queries.
    #[serde(default)]
    pub targets: Vec<Target>,
    #[serde(default)]
    panels: Vec<Panel>,
}

/// A query of a panel.
#[derive(Deserialize)]
pub struct Target {
    /// Its name, unique within its panel.
    #[serde(rename = "refId")]
    pub name: String,
    /// The query's expression.
    pub expr: String,
    #[serde(default)]
    format: String,
}

impl Target {
    /// Whether it queries cumulative histogram buckets. The panel draws each bucket without the counts of the buckets below it.
    #[must_use]
    pub fn is_of_buckets(&self) -> bool {
        self.format == "heatmap"
    }
}

impl Dashboard {
    /// The panels that show data, including those in collapsed rows.
    #[must_use]
    pub fn shown(&self) -> Vec<&Panel> {
        let inside = self.panels.iter().flat_map(|panel| &panel.panels);
        self.panels.iter().chain(inside).filter(|panel| !matches!(panel.kind.as_str(), "row" | "text")).collect()
    }

    /// The panels of its first row, which answers the question of the dashboard.
    #[must_use]
    pub fn first_row(&self) -> Vec<&Panel> {
        let after = self.panels.iter().skip_while(|panel| panel.kind != "row").skip(1);
        after.take_while(|panel| panel.kind != "row").filter(|panel| panel.kind != "text").collect()
    }

    /// The events marked on its graphs.
    #[must_use]
    pub fn annotations(&self) -> &[Annotation] {
        &self.annotations.list
    }

    /// For each variable with values from Prometheus: the series and the label that contain the values; `None` if the form of
    /// its query is unknown.
    pub fn choices(&self) -> impl Iterator<Item = (&str, Option<(&str, &str)>)> {
        let asking = self.templating.list.iter().filter(|variable| variable.kind == "query");
        asking.map(|variable| (variable.name.as_str(), variable.choices()))
    }
}

impl Variable {
    fn choices(&self) -> Option<(&str, &str)> {
        let query = self.query["query"].as_str().or(self.query.as_str())?;
        // The variable's pattern begins with the name of the label: `/page_url="([^"]+)"/`.
        if let Some(series) = query.strip_prefix("query_result(") {
            return Some((series.strip_suffix(')')?, self.regex.strip_prefix('/')?.split_once('=')?.0));
        }
        let (series, label) = query.strip_prefix("label_values(")?.strip_suffix(')')?.rsplit_once(',')?;
        Some((series.trim(), label.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_row_ends_where_the_second_begins() {
        let panel = |id: u32, kind: &str| json!({ "id": id, "type": kind });
        let dashboard: Dashboard = serde_json::from_value(json!({
            "uid": "a", "title": "A", "time": { "from": "now-1h" }, "annotations": { "list": [] }, "templating": { "list": [] },
            "panels": [panel(1, "row"), panel(2, "stat"), panel(3, "text"), panel(4, "stat"), panel(5, "row"), panel(6, "table")],
        }))
        .unwrap();
        assert_eq!(dashboard.first_row().iter().map(|panel| panel.id).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn panels_in_collapsed_rows_are_shown_but_rows_and_texts_are_not() {
        let panel = |id: u32, kind: &str| json!({ "id": id, "type": kind, "targets": [{ "refId": "A", "expr": "up" }] });
        let closed = json!({ "id": 1, "type": "row", "panels": [panel(2, "stat")] });
        let dashboard: Dashboard = serde_json::from_value(json!({
            "uid": "a", "title": "A", "time": { "from": "now-1h" }, "annotations": { "list": [] },
            "templating": { "list": [
                { "name": "route", "type": "query", "query": { "query": "label_values(up{job=\"a\", b=\"c\"}, route)" } },
                { "name": "datasource", "type": "datasource", "query": "prometheus" },
                {
                    "name": "page", "type": "query", "query": { "query": "query_result(up{job=\"a\"})" },
                    "regex": "/page_url=\"([^\"]+)\"/",
                },
            ] },
            "panels": [closed, panel(3, "text"), panel(4, "timeseries")],
        }))
        .unwrap();
        assert_eq!(dashboard.shown().iter().map(|panel| panel.id).collect::<Vec<_>>(), [4, 2]);
        let choices = [("route", Some(("up{job=\"a\", b=\"c\"}", "route"))), ("page", Some(("up{job=\"a\"}", "page_url")))];
        assert_eq!(dashboard.choices().collect::<Vec<_>>(), choices);
    }
}
