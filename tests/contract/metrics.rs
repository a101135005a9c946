//! Metrics in the expressions of rules, dashboards, runbooks and documents: each metric must exist, with the labels, values and
//! buckets that the expression names. For metrics of other programs, the tests check only the prefix of the name; for recorded series,
//! only the name.

use std::collections::BTreeSet;
use std::fs;

use vitrine::metrics::catalogue::{self, Row};

use crate::files::{dashboards, files, rules, stem, texts_under};
use crate::promql::{self, Query, Selector};
use crate::runbooks::queries;

/// Prefixes of the metrics of other programs, such as Prometheus, exporters, k6 and the scripts of `backup/`.
const FOREIGN: [&str; 17] = [
    "up",
    "scrape_",
    "ALERTS",
    "probe_",
    "pg_",
    "redis_",
    "node_",
    "caddy_",
    "go_",
    "prometheus_",
    "alertmanager_",
    "grafana_",
    "process_",
    "container_",
    "k6_",
    "otelcol_",
    "backup_",
];
/// Labels of every scraped series.
const OF_ALL: [&str; 3] = ["__name__", "job", "instance"];

/// The service's own metrics.
pub struct Catalogue(pub Vec<Row>);

impl Catalogue {
    pub fn read() -> Self {
        Self(catalogue::rows())
    }

    /// The row of the metric to which a series name belongs. The series of a histogram or summary have several names, such as `…_sum`.
    pub fn row(&self, metric: &str) -> Option<&Row> {
        self.0.iter().find(|row| {
            let ends: &[&str] = if matches!(row.kind, "histogram" | "summary") { &["", "_bucket", "_sum", "_count"] } else { &[""] };
            metric.strip_prefix(row.name).is_some_and(|end| ends.contains(&end))
        })
    }

    /// Whether a series can have a label. Series that are not in the catalogue can have any label.
    pub fn has_label(&self, metric: &str, label: &str) -> bool {
        let Some(row) = self.row(metric) else { return true };
        let of_kind = match row.kind {
            "histogram" => label == "le" && metric.ends_with("_bucket"),
            "summary" => label == "quantile",
            _ => false,
        };
        of_kind || row.keys.contains(&label) || OF_ALL.contains(&label)
    }

    /// Whether a label can have this value. Only buckets and closed sets of values are known; otherwise every value is accepted.
    fn has_value(&self, metric: &str, label: &str, value: &str) -> bool {
        let Some(row) = self.row(metric) else { return true };
        if label == "le" {
            return value == "+Inf" || row.buckets.iter().any(|bucket| value.parse() == Ok(*bucket));
        }
        let Some(position) = row.keys.iter().position(|key| *key == label) else { return true };
        row.series.is_empty() || row.series.iter().any(|values| values[position] == value)
    }

    /// The faults of an expression.
    fn faults(&self, expression: &str, recorded: &BTreeSet<String>) -> Vec<String> {
        let Query { selectors, groupings, strings } = promql::read(expression);
        let mut faults = Vec::new();
        for Selector { metric, matchers, .. } in &selectors {
            let is_foreign = FOREIGN.iter().any(|prefix| metric.starts_with(prefix));
            if self.row(metric).is_none() && !recorded.contains(metric) && !is_foreign {
                faults.push(format!("no metric {metric}"));
            }
            for (label, operator, value) in matchers {
                if !self.has_label(metric, label) {
                    faults.push(format!("{metric} has no label {label}"));
                }
                for value in values(operator, value).into_iter().filter(|value| !self.has_value(metric, label, value)) {
                    faults.push(format!("{metric} has no {label}=\"{value}\""));
                }
            }
        }
        for grouping in groupings {
            for label in grouping.labels.iter().filter(|label| !strings.contains(label)) {
                if !grouping.metrics.is_empty() && !grouping.metrics.iter().any(|metric| self.has_label(metric, label)) {
                    faults.push(format!("no label {label} on {}", grouping.metrics.join(" or ")));
                }
            }
        }
        faults
    }
}

/// The values of a matcher, without Grafana's variables. The values of a pattern are its alternatives that are numbers or consist of
/// letters, digits and `_`.
fn values<'a>(operator: &str, value: &'a str) -> Vec<&'a str> {
    if operator.contains('~') {
        let is_plain = |part: &&str| part.parse::<f64>().is_ok() || part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        value.split('|').filter(is_plain).collect()
    } else {
        [value].into_iter().filter(|value| !value.is_empty() && !value.starts_with('$')).collect()
    }
}

fn recorded() -> BTreeSet<String> {
    rules().iter().filter_map(|rule| rule["record"].as_str().map(str::to_owned)).collect()
}

/// Checks expressions, each given with its location.
fn check(expressions: impl IntoIterator<Item = (String, String)>) {
    let (catalogue, recorded) = (Catalogue::read(), recorded());
    let faults: Vec<String> = expressions
        .into_iter()
        .flat_map(|(place, expression)| catalogue.faults(&expression, &recorded).into_iter().map(move |fault| format!("{place}: {fault}")))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

pub fn of_rules() -> Vec<(String, String)> {
    let name = |rule: &serde_json::Value| rule["alert"].as_str().or(rule["record"].as_str()).unwrap().to_owned();
    rules().iter().map(|rule| (name(rule), rule["expr"].as_str().unwrap().to_owned())).collect()
}

pub fn of_dashboards() -> Vec<(String, String)> {
    let of = |(name, dashboard)| {
        let expressions = texts_under(&dashboard, "expr");
        assert!(!expressions.is_empty(), "{name}.json has no queries");
        expressions.into_iter().map(move |expression| (format!("{name}.json"), expression))
    };
    dashboards().into_iter().flat_map(of).collect()
}

pub fn of_documents() -> Vec<(String, String)> {
    let files = files("monitoring/runbooks", "md").into_iter().chain(files("docs", "md"));
    let of = |path: std::path::PathBuf| {
        let name = stem(&path);
        queries(&fs::read_to_string(&path).unwrap()).into_iter().map(move |query| (format!("{name}.md"), query))
    };
    files.flat_map(of).collect()
}

#[test]
fn metrics_in_rules_exist() {
    check(of_rules());
}

#[test]
fn metrics_in_dashboards_exist() {
    check(of_dashboards());
}

/// The metrics that no expression queries.
fn unused(rows: &[Row], expressions: &[String]) -> Vec<&'static str> {
    let selectors: Vec<Selector> = expressions.iter().flat_map(|expression| promql::read(expression).selectors).collect();
    let is_asked = |row: &Row| {
        let names = ["", "_bucket", "_sum", "_count"].map(|end| format!("{}{end}", row.name));
        selectors.iter().any(|selector| names.contains(&selector.metric))
    };
    rows.iter().filter(|row| !is_asked(row)).map(|row| row.name).collect()
}

#[test]
fn every_metric_is_in_a_rule_or_on_a_dashboard() {
    // The series of aliases.yml only repeat a metric, so they do not count. The names of other recorded series contain a colon.
    let is_alias = |name: &str| recorded().contains(name) && !name.contains(':');
    let of_rules = of_rules().into_iter().filter(|(name, _)| !is_alias(name));
    let expressions: Vec<String> = of_rules.chain(of_dashboards()).map(|(_, expression)| expression).collect();
    let rows = Catalogue::read().0;
    assert_eq!(unused(&rows, &expressions), [""; 0], "metrics that nothing queries");
    let mut without_one = expressions;
    without_one.retain(|expression| !expression.contains("jobs_oldest_due_seconds"));
    assert_eq!(unused(&rows, &without_one), ["jobs_oldest_due_seconds"]);
}

#[test]
fn metrics_in_runbooks_and_documents_exist() {
    let queries = of_documents();
    assert!(queries.len() > 100, "only {} queries were found", queries.len());
    check(queries);
}

#[test]
fn a_wrong_name_label_value_or_bucket_is_reported() {
    let (catalogue, recorded) = (Catalogue::read(), BTreeSet::new());
    for (expression, fault) in [
        ("rate(http_request_total[5m])", "no metric http_request_total"),
        ("http_requests_total{code=\"200\"}", "http_requests_total has no label code"),
        ("cache_hits_total{cache_type=~\"user|users\"}", "cache_hits_total has no cache_type=\"users\""),
        ("http_request_duration_seconds_bucket{le=\"0.4\"}", "http_request_duration_seconds_bucket has no le=\"0.4\""),
        ("sum by (le) (http_request_duration_seconds_count)", "no label le on http_request_duration_seconds_count"),
    ] {
        assert_eq!(catalogue.faults(expression, &recorded), [fault]);
    }
    let right =
        "sum by (route, p) (label_replace(http_request_duration_seconds_bucket{job=\"b\", le=~\"1|1.0\"}, \"p\", \"a\", \"\", \"\"))";
    assert!(catalogue.faults(right, &recorded).is_empty());
}
