//! Compares the reports of the probes, the edge and the monitoring with the expected ones: a cell of the table in `cells`.

use std::collections::BTreeSet;
use std::time::Duration;

use devstack::ports::MAX_REPLICAS;
use serde_json::Value;

use super::cells::{Cell, Edge, OK, READY, REPLICA};
use super::observe::{FromEdge, Observation, Service};
use crate::drill::watch;

/// Time limit of an answer to a client during any fault: the edge's search for a ready replica (2.5 s, docs/adr/0007-request-time.md),
/// plus a margin for unoptimised replicas.
const ANSWER_LIMIT: Duration = Duration::from_millis(3500);
/// Time limit of an answer of a healthy service, even on a busy machine.
const USUAL: Duration = Duration::from_millis(500);
/// The alerts that name a component as down. Of these, only the faulty component's may fire: another would mislead the on-call engineer.
const DOWN_ALERTS: [&str; 4] = ["PostgresDown", "RedisDown", "ServiceDown", "AllReplicasDown"];

/// Whether the labels are those of an alert that names a component as down.
pub fn is_down_alert(labels: &Value) -> bool {
    DOWN_ALERTS.iter().any(|alert| watch::is(alert, labels))
}

/// Whether the reports are those of a healthy service, and no request through the edge was slow.
pub fn is_normal(service: &Service) -> bool {
    let all = |reports: &[String], expected: &str| reports.iter().all(|report| report == expected);
    all(&service.live, OK)
        && all(&service.ready, READY)
        && edge_difference(Edge::All, &service.edge).is_none()
        && service.edge.slowest < USUAL
}

/// Every report that differs from the expected one.
pub fn differences(cell: &Cell, observed: &Observation) -> Vec<String> {
    let Observation { service, down, firing } = observed;
    let mut wrong = Vec::new();
    for (number, (live, ready)) in (1..).zip(service.live.iter().zip(&service.ready)) {
        let (expected_live, expected_ready) = if cell.affects(number) { (cell.live, cell.ready) } else { (OK, READY) };
        for (probe, report, expected) in [("live", live, expected_live), ("ready", ready, expected_ready)] {
            if report != expected {
                wrong.push(format!("/health/{probe} of backend-{number}: {report} instead of {expected}"));
            }
        }
    }
    wrong.extend(edge_difference(cell.edge, &service.edge));
    let expected: BTreeSet<String> = cell.down.iter().map(|series| (*series).to_owned()).collect();
    if *down != expected {
        wrong.push(format!("down according to Prometheus: {down:?} instead of {expected:?}"));
    }
    let fires = |alert: watch::Key| firing.iter().any(|labels| watch::is(alert, labels));
    let is_expected = |labels: &Value| cell.drill.alerts.iter().any(|alert| watch::is(alert, labels));
    wrong.extend(cell.drill.alerts.iter().copied().filter(|alert| !fires(alert)).map(|alert| format!("{alert} does not fire")));
    let misleading = firing.iter().filter(|labels| is_down_alert(labels) && !is_expected(labels));
    wrong.extend(misleading.map(|labels| format!("{} fires", labels["alertname"])));
    wrong
}

fn edge_difference(expected: Edge, edge: &FromEdge) -> Option<String> {
    let without = |faulty: Option<u16>| -> BTreeSet<String> {
        (1..=MAX_REPLICAS).filter(|number| Some(*number) != faulty).map(|number| format!("backend-{number}")).collect()
    };
    let is_as_expected = match expected {
        Edge::All => edge.status == 200 && edge.replicas == without(None),
        Edge::Others => edge.status == 200 && edge.replicas == without(Some(REPLICA)),
        Edge::Unavailable => edge.status == 503 && edge.says_when_to_retry && edge.replicas.is_empty(),
    };
    (!is_as_expected || edge.slowest > ANSWER_LIMIT).then(|| format!("{edge:?} instead of {expected:?} within {ANSWER_LIMIT:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health_matrix::cells::{CELLS, DEGRADED, Fault, NOTHING, Target};

    fn cell(target: Target, fault: Fault) -> &'static Cell {
        CELLS.iter().find(|cell| (cell.target, cell.fault) == (target, fault)).unwrap()
    }

    fn healthy() -> Observation {
        let replicas = ["backend-1", "backend-2", "backend-3"];
        let edge = FromEdge {
            status: 200,
            says_when_to_retry: false,
            slowest: Duration::from_millis(9),
            replicas: replicas.map(str::to_owned).into(),
        };
        let service = Service { live: vec![OK.to_owned(); 3], ready: vec![READY.to_owned(); 3], edge };
        Observation { service, down: BTreeSet::new(), firing: vec![json!({ "alertname": "Watchdog" })] }
    }

    #[test]
    fn each_fault_has_one_cell() {
        for target in [Target::Postgres, Target::Redis, Target::Driver, Target::Replica] {
            for fault in [Fault::Kill, Fault::Hang, Fault::Slow] {
                assert_eq!(CELLS.iter().filter(|cell| (cell.target, cell.fault) == (target, fault)).count(), 1, "{target:?} {fault:?}");
            }
        }
    }

    #[test]
    fn only_the_hanging_replica_may_be_missing() {
        let hang = cell(Target::Replica, Fault::Hang);
        let mut observed = healthy();
        assert!(is_normal(&observed.service));
        observed.service.live[1] = NOTHING.to_owned();
        observed.service.ready[1] = NOTHING.to_owned();
        observed.service.edge.replicas.remove("backend-2");
        observed.down.insert("up{job=\"backend\"}".to_owned());
        observed.firing.push(json!({ "alertname": "ServiceDown", "instance": "backend-2" }));
        assert_eq!(differences(hang, &observed), Vec::<String>::new());
        assert!(!is_normal(&observed.service));
        observed.service.ready[0] = DEGRADED.to_owned();
        assert_eq!(differences(hang, &observed), ["/health/ready of backend-1: 200 degraded instead of 200 ready"]);
    }

    #[test]
    fn an_alert_that_names_another_component_is_a_difference() {
        let kill = cell(Target::Redis, Fault::Kill);
        let mut observed = healthy();
        observed.service.ready = vec![DEGRADED.to_owned(); 3];
        observed.down.insert("redis_up".to_owned());
        assert_eq!(differences(kill, &observed), ["RedisDown does not fire"]);
        observed.firing.extend([json!({ "alertname": "RedisDown" }), json!({ "alertname": "PostgresDown" })]);
        assert_eq!(differences(kill, &observed), ["\"PostgresDown\" fires"]);
    }

    #[test]
    fn an_edge_that_lets_clients_wait_is_a_difference() {
        let mut observed = healthy();
        observed.service.edge.slowest = Duration::from_secs(5);
        let difference = edge_difference(Edge::All, &observed.service.edge).unwrap();
        assert!(difference.contains("slowest: 5s"), "{difference}");
        observed.service.edge.slowest = Duration::ZERO;
        observed.service.edge.status = 503;
        observed.service.edge.replicas.clear();
        assert!(edge_difference(Edge::Unavailable, &observed.service.edge).is_some(), "a 503 without Retry-After is a difference");
    }
}
