//! The layout of panels: on a grid of 24 columns, without overlaps.

use serde_json::{Value, json};

use super::{finds, hold, title};
use crate::files::items;

const COLUMNS: u64 = 24;

/// A panel's position and size.
struct Rectangle {
    x: u64,
    y: u64,
    w: u64,
    h: u64,
}

impl Rectangle {
    fn of(panel: &Value) -> Self {
        let number = |key: &str| panel["gridPos"][key].as_u64().unwrap_or_default();
        Self { x: number("x"), y: number("y"), w: number("w"), h: number("h") }
    }

    fn is_on_the_grid(&self) -> bool {
        self.w > 0 && self.h > 0 && self.x + self.w <= COLUMNS
    }

    fn covers(&self, other: &Self) -> bool {
        self.x < other.x + other.w && other.x < self.x + self.w && self.y < other.y + other.h && other.y < self.y + self.h
    }
}

/// The faults in the layout of a dashboard. The panels of a collapsed row are compared only with each other.
fn layout(dashboard: &Value) -> Vec<String> {
    let rows = items(&dashboard["panels"]).map(|panel| &panel["panels"]);
    [&dashboard["panels"]].into_iter().chain(rows).flat_map(together).collect()
}

fn together(panels: &Value) -> Vec<String> {
    let panels: Vec<(String, Rectangle)> = items(panels).map(|panel| (title(panel), Rectangle::of(panel))).collect();
    let off = panels.iter().filter(|(_, rectangle)| !rectangle.is_on_the_grid()).map(|(title, _)| format!("{title} is not on the grid"));
    let over = panels.iter().enumerate().flat_map(|(index, (title, rectangle))| {
        let later = panels[index + 1..].iter().filter(|(_, other)| rectangle.covers(other));
        later.map(move |(other, _)| format!("{other} overlaps {title}"))
    });
    off.chain(over).collect()
}

#[test]
fn panels_are_on_the_grid_and_do_not_overlap() {
    hold(layout);
    finds(layout, "/panels/2/gridPos/w", json!(21), "Requests is not on the grid");
    finds(layout, "/panels/1/gridPos/h", json!(0), "Replicas is not on the grid");
    finds(layout, "/panels/2/gridPos/x", json!(3), "Requests overlaps Replicas");
    let inside = json!([{ "id": 4, "title": "Inside", "gridPos": { "x": 20, "y": 1, "w": 5, "h": 1 } }]);
    finds(layout, "/panels/0/panels", inside, "Inside is not on the grid");
}
