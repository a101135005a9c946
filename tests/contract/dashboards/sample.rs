//! A minimal dashboard that breaks no rule. Tests change one detail of it, and expect the rule under test to report exactly that fault.

use serde_json::{Value, json};

/// A dashboard with a row, a number and a graph.
pub fn sample() -> Value {
    let datasource = json!({ "type": "prometheus", "uid": "${datasource}" });
    let target = |name: &str, expr: &str| json!({ "refId": name, "datasource": datasource, "expr": expr });
    let variable = |name: &str, query: &str| {
        json!({
            "name": name, "type": "query", "datasource": datasource, "query": { "query": query, "refId": name }, "refresh": 2,
            "multi": true, "includeAll": true, "allValue": ".*", "current": { "text": ["All"], "value": ["$__all"] },
        })
    };
    let annotation = |name: &str, expr: &str| json!({ "name": name, "datasource": datasource, "enable": true, "expr": expr });
    let menu = |folder: &str| json!({ "type": "dashboards", "tags": ["vitrine", folder], "asDropdown": true, "includeVars": true, "keepTime": true });
    let replicas = r#"sum(up{job="backend", instance=~"$instance"})"#;
    let requests =
        r#"sum by (status) (rate(http_requests_total{job="backend", instance=~"$instance", route=~"$route"}[$__rate_interval]))"#;
    json!({
        "uid": "vitrine-sample",
        "title": "Sample",
        "description": "What is it for?",
        "tags": ["vitrine", "service"],
        "editable": false,
        "refresh": "30s",
        "time": { "from": "now-1h", "to": "now" },
        "links": [menu("service"), menu("infrastructure")],
        "templating": { "list": [
            { "name": "datasource", "type": "datasource", "query": "prometheus", "current": { "text": "Prometheus", "value": "prometheus" } },
            variable("instance", "label_values(up{job=\"backend\"}, instance)"),
            variable("route", "label_values(http_requests_total{job=\"backend\"}, route)"),
            {
                "name": "runbooks", "type": "query", "datasource": datasource, "query": { "query": "query_result(ALERTS{alertname=\"Watchdog\"})" },
                "regex": "/runbooks_url=\"([^\"]+)\"/", "hide": 2, "skipUrlSync": true, "current": { "text": "", "value": "" },
            },
        ] },
        "annotations": { "list": [
            annotation("Deployments", "changes(process_start_time_seconds{job=\"backend\"}[1m]) > 0"),
            annotation("Alerts", "ALERTS{alertstate=\"firing\"}"),
        ] },
        "panels": [
            { "id": 1, "type": "row", "title": "Now", "gridPos": { "x": 0, "y": 0, "w": 24, "h": 1 }, "panels": [] },
            {
                "id": 2, "type": "stat", "title": "Replicas", "description": "Good: three.", "datasource": datasource,
                "gridPos": { "x": 0, "y": 1, "w": 4, "h": 4 }, "fieldConfig": { "defaults": { "unit": "none" } }, "targets": [target("A", replicas)],
            },
            {
                "id": 3, "type": "timeseries", "title": "Requests", "description": "Good: no 500.", "datasource": datasource,
                "gridPos": { "x": 4, "y": 1, "w": 20, "h": 8 }, "fieldConfig": { "defaults": { "unit": "reqps" } },
                "options": { "legend": { "showLegend": true, "calcs": ["lastNotNull"] } },
                "links": [{ "title": "More", "url": "/d/vitrine-overview" }], "targets": [target("A", requests)],
            },
        ],
    })
}
