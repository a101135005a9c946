//! The aliases of Vitrine's metrics: the mapping in docs/METRICS.md must agree with the recording rules. The rule tests in
//! `monitoring/prometheus/tests/aliases.yml` check that queries by these names return the right values.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::{items, root, rules, text, yaml};
use crate::metrics::Catalogue;
use crate::promql;

/// For each alias: its metric, and the labels that the alias adds.
type Mapping = BTreeMap<String, (String, BTreeSet<String>)>;

/// The aliases that the rules record: the recorded names without a colon, because all other recorded names have the form
/// `level:metric:operation`. A histogram counts as one name.
fn recorded(catalogue: &Catalogue) -> Mapping {
    let mut mapping = Mapping::new();
    for rule in rules() {
        let Some(record) = rule["record"].as_str().filter(|record| !record.contains(':')) else { continue };
        let query = promql::read(rule["expr"].as_str().unwrap());
        let asked = &query.selectors[0].metric;
        let source = catalogue.row(asked).unwrap_or_else(|| panic!("{record}: no metric {asked}")).name;
        let part = asked.strip_prefix(source).unwrap_or_default();
        let name = record.strip_suffix(part).unwrap_or(record);
        // The strings of `label_replace` are the label, its value, the source label and a pattern.
        let added = query.strings.chunks(4).filter_map(|chunk| chunk.first().cloned()).collect();
        mapping.insert(name.to_owned(), (source.to_owned(), added));
    }
    mapping
}

/// The code spans of a table cell.
fn spans(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn documented() -> Mapping {
    let document = text("docs/METRICS.md");
    let chapter = document.split_once("\n## Other names\n").unwrap().1;
    let rows = chapter.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let name = cells[0].trim_end_matches('`').to_owned();
        let added = if cells[2].starts_with("none") { BTreeSet::new() } else { spans(cells[2]).into_iter().take(1).collect() };
        (name, (spans(cells[1]).swap_remove(0), added))
    })
    .collect()
}

#[test]
fn the_documented_mapping_of_aliases_matches_the_rules() {
    assert_eq!(documented(), recorded(&Catalogue::read()));
}

#[test]
fn counters_of_requests_and_errors_also_have_the_label_endpoint() {
    let prometheus = yaml(&root().join("monitoring/prometheus/prometheus.yml"));
    let backend = items(&prometheus["scrape_configs"]).find(|job| job["job_name"] == "backend").unwrap();
    let rule = items(&backend["metric_relabel_configs"]).find(|rule| rule["target_label"] == "endpoint").unwrap();
    let (names, rest) = rule["regex"].as_str().and_then(|regex| regex.strip_prefix('(')?.split_once(')')).unwrap();
    assert_eq!((rest, rule["replacement"].as_str()), (";(.+)", Some("$2")));
    assert_eq!(rule["source_labels"], serde_json::json!(["__name__", "route"]));
    let catalogue = Catalogue::read();
    for name in names.split('|') {
        let row = catalogue.row(name).unwrap();
        assert!(
            row.keys.contains(&"route") && !row.keys.contains(&"endpoint"),
            "{name} must have the label route and no label endpoint of its own: Prometheus adds it"
        );
    }
    assert_eq!(names, "http_requests_total|api_errors_total");
}
