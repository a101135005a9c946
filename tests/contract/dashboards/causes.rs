//! Every panel that shows data must have a cause, which `cargo xtask panels` injects. No cause may belong to a missing panel. The
//! TypeScript compiler checks that panels name only causes that exist.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{sample, shown, text, title};
use crate::files::{dashboards, text as file};

/// The errors in the causes of these dashboards.
fn faults<'a>(dashboards: impl IntoIterator<Item = &'a Value>, causes: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut known = BTreeSet::new();
    for dashboard in dashboards {
        let uid = text(&dashboard["uid"]);
        for panel in shown(dashboard) {
            let number = panel["id"].to_string();
            if causes[&uid][&number].as_str().is_none_or(str::is_empty) {
                faults.push(format!("{uid}: {} has no cause", title(panel)));
            }
            known.insert((uid.clone(), number));
        }
    }
    for (uid, panels) in causes.as_object().into_iter().flatten() {
        for number in panels.as_object().into_iter().flat_map(|panels| panels.keys()) {
            if !known.contains(&(uid.clone(), number.clone())) {
                faults.push(format!("{uid}: a cause names the missing panel {number}"));
            }
        }
    }
    faults
}

#[test]
fn every_panel_has_a_cause() {
    let dashboards = dashboards();
    let causes = serde_json::from_str(&file("monitoring/grafana/causes.json")).unwrap();
    let found = faults(dashboards.iter().map(|(_, dashboard)| dashboard), &causes);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn missing_and_superfluous_causes_are_reported() {
    let valid = json!({ "vitrine-sample": { "2": "traffic", "3": "traffic" } });
    assert_eq!(faults([&sample()], &valid), [""; 0]);
    let missing = json!({ "vitrine-sample": { "2": "traffic" } });
    assert_eq!(faults([&sample()], &missing), ["vitrine-sample: Requests has no cause"]);
    let superfluous = json!({ "vitrine-sample": { "2": "traffic", "3": "traffic", "1": "traffic" } });
    assert_eq!(faults([&sample()], &superfluous), ["vitrine-sample: a cause names the missing panel 1"]);
}
