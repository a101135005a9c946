//! Limits that several files repeat. The limits of scrapes belong to `cardinality`.

use std::fs;
use std::time::Duration;

use clap::Parser;
use vitrine::config::{Cli, Config};

use crate::files::{alerts, root, yaml};

fn expression(alert: &str) -> String {
    let rule = alerts().into_iter().find(|rule| rule["alert"] == alert);
    rule.and_then(|rule| rule["expr"].as_str().map(str::to_owned)).unwrap()
}

#[test]
fn the_memory_alert_fires_at_nine_tenths_of_the_memory_limit() {
    let compose = yaml(&root().join("docker-compose.yml"));
    let limit = compose["x-backend"]["mem_limit"].as_str().and_then(|limit| limit.strip_suffix('m')).unwrap();
    assert_eq!(expression("HighMemoryUsage"), format!("process_resident_memory_bytes{{job=\"backend\"}} > 0.9 * {limit} * 1024 * 1024"));
}

/// The argument of a directive that occurs once in the Caddyfile. If the argument is a variable, returns the variable's default.
fn edge(directive: &str) -> String {
    let text = fs::read_to_string(root().join("Caddyfile")).unwrap();
    let start = format!("{directive} ");
    let found: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix(&start)).collect();
    let [argument] = found[..] else { panic!("{directive}: {found:?}") };
    let variable = argument.strip_prefix("{$").and_then(|rest| rest.split_once(':'));
    variable.map_or_else(|| argument.to_owned(), |(_, default)| default.replace('}', ""))
}

fn edge_time(directive: &str) -> Duration {
    humantime::parse_duration(&edge(directive)).unwrap()
}

fn shipped() -> Config {
    Cli::try_parse_from(["vitrine", "--database-url=postgres://x", "--redis-url=redis://x"]).unwrap().config
}

#[test]
fn a_replica_that_does_not_answer_leaves_the_edges_pool_within_three_seconds() {
    let fails: u32 = edge("health_fails").parse().unwrap();
    // The first check begins up to one interval after the replica stops answering; the last check fails when it times out.
    let longest = edge_time("health_interval") * fails + edge_time("health_timeout");
    assert!(longest <= Duration::from_secs(3), "{longest:?}");
    // The edge still retries a request at that time, so that another replica serves it.
    assert!(longest < edge_time("lb_try_duration"), "{longest:?}");
}

#[test]
fn the_edge_waits_longer_than_a_replica_needs_and_is_not_killed_while_it_waits() {
    let waits = edge_time("response_header_timeout");
    let slack = Duration::from_secs(1);
    for (what, longest) in [("a response", shipped().request_timeout), ("a long poll", shipped().socket_ping_interval)] {
        assert!(longest + slack <= waits && waits <= Duration::from_secs(15), "{what}: {longest:?} {waits:?}");
    }
    assert!(waits < edge_time("grace_period"), "{waits:?}");
    let compose = yaml(&root().join("docker-compose.yml"));
    let killed = humantime::parse_duration(compose["services"]["caddy"]["stop_grace_period"].as_str().unwrap()).unwrap();
    assert!(edge_time("grace_period") < killed, "{killed:?}");
}

#[test]
fn the_edge_and_the_replicas_have_one_limit_for_bodies() {
    assert_eq!(edge("max_size").parse(), Ok(shipped().body_limit));
    let buffered: usize = edge("request_buffers").parse().unwrap();
    assert!(buffered > shipped().body_limit, "{buffered}");
}
