//! What must agree with what: catalogue, documents, rules, dashboards, runbooks, tests.
//!
//! `UPDATE_GENERATED=1 cargo test --test contract` (`cargo xtask catalogue`) writes the generated documents anew.

#![expect(clippy::unwrap_used, reason = "a failed test ends with a panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;
use vitrine::app::App;
use vitrine::config::Cli;
use vitrine::metrics::http::METHODS;
use vitrine::metrics::labels::Platform;
use vitrine::metrics::{catalogue, document};
use vitrine::router;

/// Series that one replica may come to, hostile clients included.
const SERIES_BUDGET: usize = 6_500;
/// Metrics of the programs around the service.
const FOREIGN: [&str; 12] =
    ["up", "scrape_", "ALERTS", "pg_", "redis_", "node_", "caddy_", "go_", "prometheus_", "alertmanager_", "grafana_", "process_"];
const KEYWORDS: [&str; 9] = ["and", "or", "unless", "bool", "offset", "inf", "nan", "start", "end"];
const CLAUSES: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const RUNBOOK_HEADINGS: [&str; 4] = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = found.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    assert!(!files.is_empty(), "{folder} holds .{extension} files");
    files
}

fn assert_generated(path: &str, text: &str) {
    let path = root().join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{} is not what the code says: run `cargo xtask catalogue`", path.display());
}

fn yaml(path: &Path) -> Value {
    serde_norway::from_str(&fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every rule of every rule file.
fn rules() -> Vec<Value> {
    let groups = files("monitoring/prometheus/rules", "yml")
        .iter()
        .flat_map(|path| yaml(path)["groups"].as_array().unwrap().clone())
        .collect::<Vec<_>>();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn alerts() -> Vec<String> {
    rules().iter().filter_map(|rule| rule["alert"].as_str().map(str::to_owned)).collect()
}

/// Every text under one of the keys, however deep.
fn texts_under(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == key
                    && let Some(text) = value.as_str()
                {
                    found.push(text.to_owned());
                }
                texts_under(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts_under(item, key, found)),
        _ => {}
    }
}

/// The metric names of an expression: its names that are no function, keyword, label or duration.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = expression;
    let mut in_clause = false;
    while let Some(c) = rest.chars().next() {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$');
        if let Some(close) = match c {
            '{' => Some('}'),
            '[' => Some(']'),
            '"' => Some('"'),
            '(' if in_clause => Some(')'),
            _ => None,
        } {
            let end = rest[1..].find(close).map_or(rest.len(), |at| at + 2);
            rest = &rest[end..];
        } else if is_name(c) {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            rest = after.trim_start();
            in_clause = CLAUSES.contains(&name);
            let is_aggregation = ["by", "without"].iter().any(|clause| rest.starts_with(clause));
            let is_number = name.starts_with(|c: char| c.is_ascii_digit()) || name.starts_with('$');
            if !in_clause && !is_number && !is_aggregation && !rest.starts_with('(') && !KEYWORDS.contains(&name.to_lowercase().as_str()) {
                names.insert(name.to_owned());
            }
            continue;
        } else {
            rest = &rest[c.len_utf8()..];
        }
        in_clause = false;
    }
    names
}

/// The names under which the catalogue's metrics are stored.
fn catalogued() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for row in catalogue::rows() {
        names.insert(row.name.to_owned());
        if matches!(row.kind, "histogram" | "summary") {
            names.extend(["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", row.name)));
        }
    }
    names
}

fn unknown_metrics(expressions: &[String]) -> Vec<String> {
    let mut known = catalogued();
    known.extend(rules().iter().filter_map(|rule| rule["record"].as_str().map(str::to_owned)));
    let is_known = |name: &String| known.contains(name) || FOREIGN.iter().any(|prefix| name.starts_with(prefix));
    expressions.iter().flat_map(|expression| metrics_of(expression)).filter(|name| !is_known(name)).collect()
}

#[test]
fn the_metrics_document_is_the_catalogue() {
    assert_generated("docs/METRICS.md", &document::markdown());
}

#[test]
fn the_committed_description_is_what_the_routes_say() {
    let mut text = router::description().to_pretty_json().unwrap();
    text.push('\n');
    assert_generated("docs/openapi.json", &text);
}

#[test]
fn every_metric_that_a_rule_uses_exists() {
    let expressions: Vec<String> = rules().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect();
    assert_eq!(unknown_metrics(&expressions), Vec::<String>::new());
}

#[test]
fn every_metric_that_a_dashboard_uses_exists() {
    for path in files("monitoring/grafana/dashboards", "json") {
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut expressions = Vec::new();
        texts_under(&dashboard, "expr", &mut expressions);
        assert!(!expressions.is_empty(), "{} asks for something", path.display());
        assert_eq!(unknown_metrics(&expressions), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn every_alert_has_a_runbook_that_its_annotation_names() {
    for rule in rules().iter().filter(|rule| rule["alert"].is_string()) {
        let alert = rule["alert"].as_str().unwrap();
        let runbook = fs::read_to_string(root().join(format!("monitoring/runbooks/{alert}.md"))).unwrap_or_default();
        for heading in RUNBOOK_HEADINGS {
            assert!(runbook.contains(heading), "monitoring/runbooks/{alert}.md has {heading}");
        }
        let url = rule["annotations"]["runbook_url"].as_str().unwrap_or_default();
        assert!(url.ends_with(&format!("/{alert}.md")), "{alert} names its runbook: {url}");
        assert!(rule["labels"]["severity"].is_string(), "{alert} has a severity");
    }
    for path in files("monitoring/runbooks", "md") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(alerts().contains(&name), "{name}.md belongs to an alert");
    }
}

#[test]
fn every_alert_has_a_test_where_it_fires_and_one_where_it_does_not() {
    let tests: Vec<Value> = files("monitoring/prometheus/tests", "yml").iter().map(|path| yaml(path)).collect();
    let cases: Vec<&Value> = tests
        .iter()
        .flat_map(|file| file["tests"].as_array().unwrap())
        .flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten())
        .collect();
    for alert in alerts().iter().filter(|alert| *alert != "Watchdog") {
        let of_alert: Vec<_> = cases.iter().filter(|case| case["alertname"] == **alert).collect();
        let fires = |case: &&&&Value| case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
        assert!(of_alert.iter().any(|case| fires(&case)), "{alert} fires in a test");
        assert!(!of_alert.iter().all(|case| fires(&case)), "{alert} is silent in a test");
    }
}

#[tokio::test]
async fn the_series_of_a_replica_stay_within_their_budget_whatever_clients_do() {
    // With every platform that there is.
    let bundled = fs::read_to_string(root().join("platforms/simulated.toml")).unwrap();
    let platforms = std::env::temp_dir().join(format!("vitrine-contract-{}.toml", std::process::id()));
    let secret = "client_secret_file = \"/run/vitrine/provider_sim_client_secret\"";
    fs::write(&platforms, bundled.replace(secret, "client_secret = \"simulated\"")).unwrap();
    let arguments = [
        "vitrine",
        "--database-url=postgres://nobody@127.0.0.1:1/none",
        "--redis-url=redis://127.0.0.1:1",
        "--listen-address=127.0.0.1:0",
        "--token-keys=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        &format!("--platforms-file={}", platforms.display()),
    ];
    let app = App::build(Cli::parse_from(arguments).config).unwrap();
    fs::remove_file(platforms).unwrap();
    assert_eq!(app.state().oauth.platforms().all().count(), Platform::MEMBERS.len());
    let text = app.state().exporter.render();
    let series: Vec<_> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let count = |start: &str| series.iter().filter(|line| line.starts_with(start)).count();
    // What a client can add, `tests/api/metrics.rs` shows: for each route, a method that it does not declare (405 and 403,
    // each with its error, and 499), and a HEAD with every status of the GET; for an unknown path, a 403 and a 499 by method.
    let undeclared = 5 * count("http_requests_cancelled_total{");
    let heads = count("http_requests_total{method=\"GET\",");
    let unknown = 2 * METHODS.len();
    let (at_start, worst) = (series.len(), series.len() + undeclared + heads + unknown);
    println!("{at_start} series at start, {worst} at worst");
    assert!(worst < SERIES_BUDGET, "{worst} series of {SERIES_BUDGET}");
}

#[test]
fn metric_names_are_found_in_expressions() {
    let expression =
        r#"sum by (route) (rate(http_requests_total{status=~"5.."}[5m])) / on (a, b) group_left (c) level:x:rate5m > bool 0.5 and up == 1"#;
    assert_eq!(metrics_of(expression).into_iter().collect::<Vec<_>>(), ["http_requests_total", "level:x:rate5m", "up"]);
}
