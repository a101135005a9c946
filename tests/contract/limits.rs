//! Limits that stand in more than one file.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::files::{alerts, items, root, yaml};
use crate::promql;

fn expression(alert: &str) -> String {
    let rule = alerts().into_iter().find(|rule| rule["alert"] == alert);
    rule.and_then(|rule| rule["expr"].as_str().map(str::to_owned)).unwrap()
}

#[test]
fn growth_is_told_at_four_fifths_of_what_each_target_may_answer() {
    let prometheus = yaml(&root().join("monitoring/prometheus/prometheus.yml"));
    let limit = |job: &Value| (job["job_name"].as_str().unwrap().to_owned(), job["sample_limit"].as_f64().unwrap() * 0.8);
    let expected: BTreeMap<String, f64> = items(&prometheus["scrape_configs"]).map(limit).collect();
    let mut told = BTreeMap::new();
    for part in expression("CardinalityGrowth").split(" or ").flat_map(|part| part.split("\nor ")) {
        let (series, limit) = part.rsplit_once('>').unwrap();
        let query = promql::read(series);
        let (_, _, jobs) = &query.selectors[0].matchers[0];
        told.extend(jobs.split('|').map(|job| (job.to_owned(), limit.trim().parse::<f64>().unwrap())));
    }
    assert_eq!(told, expected);
}

#[test]
fn memory_is_told_at_nine_tenths_of_what_a_replica_may_use() {
    let compose = yaml(&root().join("docker-compose.yml"));
    let limit = compose["x-backend"]["mem_limit"].as_str().and_then(|limit| limit.strip_suffix('m')).unwrap();
    assert_eq!(expression("HighMemoryUsage"), format!("process_resident_memory_bytes{{job=\"backend\"}} > 0.9 * {limit} * 1024 * 1024"));
}
