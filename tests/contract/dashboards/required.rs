//! The panels that each dashboard must have, and the metrics that these panels must query.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{queries, sample, shown};
use crate::files::dashboards;
use crate::promql;

/// The title of each panel, and a list of metrics. The panel must query at least one of them.
type Panels = &'static [(&'static str, &'static [&'static str])];

/// For each dashboard: its name, its minimum number of panels, and its required panels.
const REQUIRED: [(&str, usize, Panels); 14] = [
    (
        "overview",
        10,
        &[
            ("Status", &["ALERTS"]),
            ("Uptime", &["process_start_time_seconds"]),
            ("Requests", &["http_requests_total"]),
            ("Statuses", &["http_requests_total"]),
            ("Latency", &["http_request_duration_seconds_bucket"]),
            ("Busiest routes", &["route:http_requests:rate5m", "http_requests_total"]),
            ("Environments", &["status:environments:sum"]),
            ("CPU", &["process_cpu_seconds_total"]),
            ("Memory", &["process_resident_memory_bytes"]),
            ("Alerts firing", &["ALERTS"]),
        ],
    ),
    (
        "api-performance",
        11,
        &[
            ("p50", &["http_request_duration_seconds_bucket"]),
            ("p95", &["http_request_duration_seconds_bucket"]),
            ("p99", &["http_request_duration_seconds_bucket"]),
            ("Requests by status", &["http_requests_total"]),
            ("Errors by type", &["api_errors_total"]),
            ("Errors by route", &["api_errors_total"]),
            ("Slowest routes", &["route:http_request_duration_seconds:p95_rate5m"]),
            ("Connections by replica", &["active_connections"]),
            ("WebSocket connections by replica", &["websocket_connections_active"]),
            ("Connections", &["active_connections"]),
            ("WebSockets", &["websocket_connections_active"]),
            ("Database", &["db_query_duration_seconds_bucket"]),
            ("Scheduling delay", &["runtime_scheduling_delay_quantile_seconds"]),
            ("Latency distribution", &["http_request_duration_seconds_bucket"]),
        ],
    ),
    (
        "http-detail",
        8,
        &[
            ("Requests by route", &["http_requests_total"]),
            ("Errors by route and status", &["api_errors_total", "http_requests_total"]),
            ("Latency distribution", &["http_request_duration_seconds_bucket"]),
            ("Statuses", &["http_requests_total"]),
            ("Size of requests", &["http_request_size_bytes_bucket"]),
            ("Size of responses", &["http_response_size_bytes_bucket"]),
        ],
    ),
    (
        "environments",
        17,
        &[
            ("By status", &["status:environments:sum"]),
            ("Calls by operation", &["docker_operations_total"]),
            ("Duration p95 by operation", &["docker_operation_duration_seconds_bucket"]),
            ("Failures by operation", &["docker_operations_total"]),
            ("Running and open", &["workspace_sessions"]),
            ("Extensions", &["extension_installations_total"]),
            ("Lines by stream", &["log_entries_total"]),
            ("Jobs by kind", &["jobs_total"]),
        ],
    ),
    (
        "realtime",
        12,
        &[
            ("Connections by replica", &["websocket_connections_active"]),
            ("Connections by transport", &["websocket_connections_active"]),
            ("Received by event", &["websocket_messages_total"]),
            ("Sent by event", &["websocket_messages_total"]),
            ("Fan-out", &["websocket_fanout_seconds_bucket"]),
            ("Errors by type", &["websocket_errors_total"]),
            ("Lost by reason", &["websocket_messages_dropped_total"]),
            ("Bus by replica", &["websocket_adapter_connected"]),
        ],
    ),
    (
        "database-cache",
        16,
        &[
            ("Statements by operation", &["db_queries_total"]),
            ("Latency p95 by table", &["table:db_query_duration_seconds:p95_rate5m", "db_query_duration_seconds_bucket"]),
            ("Connections of the pool", &["db_connection_pool_size"]),
            ("Wait for a connection", &["db_pool_wait_seconds_bucket"]),
            ("Size", &["pg_database_size_bytes"]),
            ("Connections by state", &["pg_stat_activity_count"]),
            ("Locks by mode", &["pg_locks_count"]),
            ("Hit rate by type", &["cache_type:cache_hits:ratio_rate5m", "cache_hits_total"]),
            ("Commands", &["redis_commands_total"]),
        ],
    ),
    (
        "accounts",
        14,
        &[
            ("Authentication attempts", &["auth_attempts_total"]),
            ("Refused share by method", &["auth_attempts_total"]),
            ("OAuth by platform", &["oauth_operations_total"]),
            ("Calls by outcome", &["social_api_calls_total"]),
            ("Attempts by kind", &["jobs_total"]),
        ],
    ),
    (
        "runtime",
        16,
        &[
            ("Scheduling delay", &["runtime_scheduling_delay_seconds_bucket", "runtime_scheduling_delay_quantile_seconds"]),
            ("Tasks", &["runtime_tasks_alive"]),
            ("Workers busy by replica", &["runtime_worker_busy_ratio"]),
            ("Allocator", &["process_heap_bytes"]),
            ("CPU by replica", &["process_cpu_seconds_total"]),
            ("Open files by replica", &["process_open_fds"]),
            ("Network", &["process_network_receive_bytes_total"]),
            ("Disk", &["process_disk_read_bytes_total"]),
            ("Panics and failed tasks", &["uncaught_exceptions_total"]),
            ("Restarts", &["process_start_time_seconds"]),
        ],
    ),
    (
        "frontend",
        10,
        &[
            ("Page views by route", &["page_views_total"]),
            ("Rendering p95 by route", &["ssr_duration_seconds_bucket"]),
            ("Vitals p75", &["web_vitals_seconds_bucket"]),
            ("Calls by status", &["api_calls_total"]),
            ("Errors by type", &["client_errors_total"]),
            ("Loading files p95", &["static_asset_load_seconds_bucket"]),
        ],
    ),
    (
        "infrastructure-slo",
        16,
        &[
            ("Responses by status", &["caddy_http_request_duration_seconds_count"]),
            ("Budget left", &["slo:period_error_budget_remaining:ratio"]),
            ("Burn rate", &["slo:current_burn_rate:ratio"]),
            ("Targets down", &["up"]),
            ("Machine CPU", &["node_cpu_seconds_total"]),
            ("Probes", &["probe_success"]),
        ],
    ),
    (
        "machine",
        18,
        &[
            ("CPU by mode", &["node_cpu_seconds_total"]),
            ("Load and cores", &["node_load1"]),
            ("Memory by use", &["node_memory_MemAvailable_bytes"]),
            ("Disk in use", &["node_filesystem_avail_bytes"]),
            ("Disk traffic", &["node_disk_written_bytes_total"]),
            ("Busy disks", &["node_disk_io_time_seconds_total"]),
            ("Network", &["node_network_receive_bytes_total"]),
            ("Open files of the machine", &["node_filefd_allocated"]),
            ("Waiting (pressure)", &["node_pressure_cpu_waiting_seconds_total"]),
        ],
    ),
    (
        "containers",
        14,
        &[
            ("CPU by process", &["process_cpu_seconds_total"]),
            ("Memory by process", &["process_resident_memory_bytes"]),
            ("Restarts by process", &["process_start_time_seconds"]),
            ("CPU by container", &["container_cpu_usage_seconds_total"]),
            ("Memory by container", &["container_memory_working_set_bytes"]),
            ("Network by container", &["container_network_receive_bytes_total"]),
            ("Restarts by container", &["container_cpu_usage_seconds_total"]),
        ],
    ),
    (
        "monitoring",
        18,
        &[
            ("Targets down", &["up"]),
            ("Scrape duration", &["scrape_duration_seconds"]),
            ("Series and samples", &["prometheus_tsdb_head_series"]),
            ("Rule evaluation", &["prometheus_rule_group_last_duration_seconds"]),
            ("Failed rule evaluations", &["prometheus_rule_evaluation_failures_total"]),
            ("Query duration", &["prometheus_engine_query_duration_seconds"]),
            ("Prometheus disk and memory", &["prometheus_tsdb_wal_storage_size_bytes"]),
            ("Alerts handed over", &["prometheus_notifications_dropped_total"]),
            ("Target losses", &["up"]),
        ],
    ),
    (
        "load-test",
        12,
        &[
            ("Requests per second", &["k6_http_reqs_total"]),
            ("Mean duration", &["k6_request_seconds_total"]),
            ("Answered within 300 ms", &["k6_requests_fast_total"]),
            ("Latency, whole run", &["k6_http_req_duration_p95"]),
            ("Latency of the service", &["http_request_duration_seconds_bucket"]),
        ],
    ),
];

/// The requirements that a dashboard does not meet.
fn missing(dashboard: &Value, at_least: usize, panels: Panels) -> Vec<String> {
    let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (title, query) in queries(dashboard) {
        let metrics = promql::read(&query).selectors.into_iter().map(|selector| selector.metric);
        asked.entry(title).or_default().extend(metrics);
    }
    let mut missing = Vec::new();
    let count = shown(dashboard).len();
    if count < at_least {
        missing.push(format!("{count} panels, fewer than {at_least}"));
    }
    for (title, metrics) in panels {
        match asked.get(*title) {
            None => missing.push(format!("no panel {title}")),
            Some(asked) if !metrics.iter().any(|metric| asked.iter().any(|one| one == metric)) => {
                missing.push(format!("{title} does not query {}", metrics.join(" or ")));
            }
            Some(_) => {}
        }
    }
    missing
}

#[test]
fn every_dashboard_has_its_required_panels() {
    let dashboards: BTreeMap<String, Value> = dashboards().into_iter().collect();
    assert_eq!(dashboards.len(), REQUIRED.len());
    let lacks = REQUIRED.iter().flat_map(|(name, at_least, panels)| {
        missing(&dashboards[*name], *at_least, panels).into_iter().map(move |fault| format!("{name}: {fault}"))
    });
    let lacks: Vec<String> = lacks.collect();
    assert!(lacks.is_empty(), "\n{}", lacks.join("\n"));
}

#[test]
fn missing_and_changed_panels_are_reported() {
    let panels: Panels = &[("Replicas", &["up"]), ("Requests", &["http_requests_total", "k6_http_reqs_total"])];
    assert_eq!(missing(&sample(), 2, panels), [""; 0]);
    assert_eq!(missing(&sample(), 3, panels), ["2 panels, fewer than 3"]);
    assert_eq!(
        missing(&sample(), 2, &[("Replicas", &["process_threads"]), ("Uptime", &["up"])]),
        ["Replicas does not query process_threads", "no panel Uptime"]
    );
}
