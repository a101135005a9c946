//! Limits that stand in more than one file. What a scrape may have belongs to `cardinality`.

use crate::files::{alerts, root, yaml};

fn expression(alert: &str) -> String {
    let rule = alerts().into_iter().find(|rule| rule["alert"] == alert);
    rule.and_then(|rule| rule["expr"].as_str().map(str::to_owned)).unwrap()
}

#[test]
fn memory_is_told_at_nine_tenths_of_what_a_replica_may_use() {
    let compose = yaml(&root().join("docker-compose.yml"));
    let limit = compose["x-backend"]["mem_limit"].as_str().and_then(|limit| limit.strip_suffix('m')).unwrap();
    assert_eq!(expression("HighMemoryUsage"), format!("process_resident_memory_bytes{{job=\"backend\"}} > 0.9 * {limit} * 1024 * 1024"));
}
