//! The worst-case number of samples in a scrape of each job. It follows from the possible values of the labels, so it holds whatever
//! clients send. It must be at most a third of the job's `sample_limit`, above which Prometheus drops the whole scrape.
//!
//! `cargo xtask cardinality` prints the table. `scrapes` parses the relabelling rules; `series` counts a replica's series.

use std::collections::BTreeSet;
use std::fs;

use crate::files::{alerts, dashboards, files, items, root, rules, text, texts_under, yaml};
use crate::metrics::Catalogue;
use crate::promql::{self, Selector};
use crate::runbooks::queries;
use crate::scrapes::{Job, Labels};
use crate::series;

/// Each limit must be at least this many times the worst case.
const HEADROOM: usize = 3;

/// Methods that Caddy distinguishes; it counts all others as `OTHER` (`internal/metrics` of Caddy 2.11).
const EDGE_METHODS: [&str; 10] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "OTHER", "PATCH", "POST", "PUT", "TRACE"];
/// Statuses that the edge can return even where no operation declares them.
const EDGE_STATUSES: [u16; 17] = [101, 304, 308, 400, 403, 404, 405, 408, 411, 413, 414, 417, 431, 499, 502, 503, 504];
/// Caddy's names for its two servers in the worst case: the first serves plain HTTP without host names, the second a site
/// with host names.
const EDGE_SERVERS: [&str; 2] = ["srv1", "srv2"];
/// Handlers of our Caddyfile that count the requests of a site without host names; `subroute` counts those of a site with host names.
const EDGE_HANDLERS: [&str; 8] = ["encode", "error", "headers", "log_append", "map", "reverse_proxy", "static_response", "tracing"];
/// The handlers that rules, dashboards and runbooks select. `reverse_proxy` counts all requests to replicas if the site has no host names,
/// `subroute` if it has some.
const EDGE_HANDLER: &str = "reverse_proxy|subroute";

/// Postgres' own databases, the service's, and some created by hand.
const DATABASES: usize = 8;
/// Modes of a lock in Postgres.
const LOCK_MODES: usize = 9;
/// States of a connection to Postgres; the exporter has a series for each, even at 0.
const CONNECTION_STATES: usize = 6;
/// Newer exporters of Postgres also have labels such as the user and the wait event, so each connection may add a series. This is twice
/// the largest `max_connections` (200 in test stacks, 100 in compose).
const CONNECTIONS: usize = 400;
/// The setting `databases` of Redis.
const REDIS_DATABASES: usize = 16;
/// Redis commands including their subcommands. The service uses a few dozen, and clients cannot send any.
const REDIS_COMMANDS: usize = 400;
/// Kinds of backups: logical, base, wal.
const BACKUP_KINDS: usize = 3;
/// The largest host considered: cores, disks, file systems, network devices.
const HOST: [usize; 4] = [64, 64, 64, 64];
const CPU_MODES: usize = 8;
/// Integrations that Alertmanager has (16 in 0.28), with room for later ones.
const INTEGRATIONS: usize = 24;
/// Kinds of samples in Prometheus 3.
const SAMPLE_TYPES: usize = 2;
/// Parts of a query whose duration Prometheus measures, and the quantiles of each.
const QUERY_PARTS: usize = 4;
const QUANTILES: usize = 3;
/// The metrics of a process, which each program except the blackbox exporter and the collector exposes about itself.
const PROCESS: [(&str, usize); 5] = [
    ("process_cpu_seconds_total", 1),
    ("process_max_fds", 1),
    ("process_open_fds", 1),
    ("process_resident_memory_bytes", 1),
    ("process_start_time_seconds", 1),
];

/// The metrics that Prometheus keeps from a job other than the service and the edge, with the maximum number of series of each.
fn exported(job: &str) -> Vec<(&'static str, usize)> {
    let own: Vec<(&'static str, usize)> = match job {
        "prometheus" => {
            let groups: usize = files("monitoring/prometheus/rules", "yml").iter().map(|path| items(&yaml(path)["groups"]).count()).sum();
            let alertmanagers = Job::named("alertmanager").targets;
            vec![
                ("prometheus_config_last_reload_successful", 1),
                ("prometheus_engine_query_duration_seconds", QUERY_PARTS * QUANTILES),
                ("prometheus_engine_query_duration_seconds_count", QUERY_PARTS),
                ("prometheus_notifications_alertmanagers_discovered", 1),
                ("prometheus_notifications_dropped_total", alertmanagers),
                ("prometheus_notifications_errors_total", alertmanagers),
                ("prometheus_notifications_sent_total", alertmanagers),
                ("prometheus_rule_evaluation_failures_total", groups),
                ("prometheus_rule_group_iterations_missed_total", groups),
                ("prometheus_rule_group_last_duration_seconds", groups),
                ("prometheus_tsdb_head_samples_appended_total", SAMPLE_TYPES),
                ("prometheus_tsdb_head_series", 1),
                ("prometheus_tsdb_head_series_created_total", 1),
                ("prometheus_tsdb_head_series_removed_total", 1),
                ("prometheus_tsdb_storage_blocks_bytes", 1),
                ("prometheus_tsdb_wal_storage_size_bytes", 1),
            ]
        }
        "alertmanager" => vec![
            ("alertmanager_config_last_reload_successful", 1),
            ("alertmanager_notification_requests_failed_total", INTEGRATIONS),
            ("alertmanager_notifications_total", INTEGRATIONS),
        ],
        "postgres" => {
            let activity = CONNECTIONS + DATABASES * CONNECTION_STATES;
            // Each of these has one series per database, and one more without a database name.
            let of_databases = [
                "pg_stat_database_blks_hit",
                "pg_stat_database_blks_read",
                "pg_stat_database_deadlocks",
                "pg_stat_database_tup_deleted",
                "pg_stat_database_tup_fetched",
                "pg_stat_database_tup_inserted",
                "pg_stat_database_tup_updated",
                "pg_stat_database_xact_commit",
                "pg_stat_database_xact_rollback",
            ];
            let others = [
                ("pg_up", 1),
                ("pg_settings_max_connections", 1),
                ("pg_database_size_bytes", DATABASES),
                ("pg_locks_count", DATABASES * LOCK_MODES),
                ("pg_stat_activity_count", activity),
                ("pg_stat_activity_max_tx_duration", activity),
            ];
            others.into_iter().chain(of_databases.map(|name| (name, DATABASES + 1))).collect()
        }
        "redis" => vec![
            ("redis_up", 1),
            ("redis_blocked_clients", 1),
            ("redis_commands_duration_seconds_total", REDIS_COMMANDS),
            ("redis_commands_processed_total", 1),
            ("redis_connected_clients", 1),
            ("redis_db_keys", REDIS_DATABASES),
            ("redis_db_keys_expiring", REDIS_DATABASES),
            ("redis_evicted_keys_total", 1),
            ("redis_expired_keys_total", 1),
            ("redis_memory_used_bytes", 1),
            ("redis_memory_used_rss_bytes", 1),
        ],
        "node" => of_the_machine(),
        "cadvisor" => of_containers(),
        // The exporter's own process is not scraped.
        "probe" => {
            return vec![("probe_duration_seconds", 1), ("probe_ssl_earliest_cert_expiry", 1), ("probe_success", 1)];
        }
        // The collector exposes no metrics of a process.
        "otel-collector" => return of_the_collector(),
        "grafana" | "tempo" | "loki" => Vec::new(),
        _ => panic!("no series are listed for job {job}"),
    };
    own.into_iter().chain(PROCESS).collect()
}

/// The series of the collector: one for each exporter, and one for each transport of its receiver.
fn of_the_collector() -> Vec<(&'static str, usize)> {
    let names = [
        "otelcol_exporter_send_failed_log_records",
        "otelcol_exporter_send_failed_spans",
        "otelcol_receiver_refused_log_records",
        "otelcol_receiver_refused_spans",
    ];
    names.map(|name| (name, 2)).into()
}

/// The series of node-exporter on the largest host.
fn of_the_machine() -> Vec<(&'static str, usize)> {
    let [cores, disks, file_systems, devices] = HOST;
    let of_disks = [
        "node_disk_io_time_seconds_total",
        "node_disk_read_bytes_total",
        "node_disk_read_time_seconds_total",
        "node_disk_reads_completed_total",
        "node_disk_write_time_seconds_total",
        "node_disk_writes_completed_total",
        "node_disk_written_bytes_total",
    ];
    let of_file_systems =
        ["node_filesystem_avail_bytes", "node_filesystem_files", "node_filesystem_files_free", "node_filesystem_size_bytes"];
    let of_machine = [
        "node_context_switches_total",
        "node_filefd_allocated",
        "node_intr_total",
        "node_load1",
        "node_load15",
        "node_load5",
        "node_memory_Buffers_bytes",
        "node_memory_Cached_bytes",
        "node_memory_Dirty_bytes",
        "node_memory_MemAvailable_bytes",
        "node_memory_MemTotal_bytes",
        "node_memory_SwapFree_bytes",
        "node_memory_SwapTotal_bytes",
        "node_memory_Writeback_bytes",
        "node_pressure_cpu_waiting_seconds_total",
        "node_pressure_io_waiting_seconds_total",
        "node_pressure_memory_waiting_seconds_total",
        "node_procs_blocked",
        "node_procs_running",
    ];
    let of_backups = ["backup_duration_seconds", "backup_failures_total", "backup_last_success_timestamp_seconds", "backup_size_bytes"];
    let others = [
        ("node_cpu_seconds_total", cores * CPU_MODES),
        ("node_network_receive_bytes_total", devices),
        ("node_network_transmit_bytes_total", devices),
    ];
    let of_disks = of_disks.map(|name| (name, disks)).into_iter();
    let of_file_systems = of_file_systems.map(|name| (name, file_systems));
    let of_backups = of_backups.map(|name| (name, BACKUP_KINDS));
    of_disks.chain(of_file_systems).chain(of_machine.map(|name| (name, 1))).chain(of_backups).chain(others).collect()
}

/// The series of cAdvisor.
fn of_containers() -> Vec<(&'static str, usize)> {
    let (containers, interfaces) = containers();
    vec![
        ("container_cpu_cfs_periods_total", containers),
        ("container_cpu_cfs_throttled_periods_total", containers),
        ("container_cpu_usage_seconds_total", containers),
        ("container_memory_working_set_bytes", containers),
        ("container_network_receive_bytes_total", interfaces),
        ("container_network_transmit_bytes_total", interfaces),
        ("container_spec_memory_limit_bytes", containers),
    ]
}

/// The largest number of containers of the stack, and of their network interfaces. During an update, each container can exist twice.
fn containers() -> (usize, usize) {
    let compose = yaml(&root().join("docker-compose.yml"));
    let services = compose["services"].as_object().unwrap();
    let interfaces = services.values().map(|service| items(&service["networks"]).count().max(1)).sum::<usize>();
    (2 * services.len(), 2 * interfaces)
}

/// The series that clients can create at the edge, and the others that Prometheus keeps, each with its number of samples. The buckets of
/// a histogram count as one series.
fn exposed_by_the_edge(statuses: &BTreeSet<u16>) -> Vec<(Labels, usize)> {
    let name = |name: &str| ("__name__", name.to_owned());
    let mut series = vec![(Labels::from([name("caddy_reverse_proxy_upstreams_healthy")]), Job::named("backend").targets)];
    series.extend(PROCESS.map(|(metric, count)| (Labels::from([name(metric)]), count)));
    // The first server has the site without host names, the second the site with host names.
    for (server, handlers) in [(EDGE_SERVERS[0], &EDGE_HANDLERS[..]), (EDGE_SERVERS[1], &["subroute"][..])] {
        for handler in handlers {
            let of_handler = [("server", server.to_owned()), ("handler", (*handler).to_owned())];
            for metric in ["caddy_http_requests_in_flight", "caddy_http_requests_total", "caddy_http_request_errors_total"] {
                series.push(([name(metric)].into_iter().chain(of_handler.clone()).collect::<Labels>(), 1));
            }
            for (method, status) in EDGE_METHODS.iter().flat_map(|method| statuses.iter().map(move |status| (method, status))) {
                let of_pair = [("method", (*method).to_owned()), ("code", status.to_string())];
                for (histogram, buckets) in [
                    ("caddy_http_request_duration_seconds", 12),
                    ("caddy_http_response_duration_seconds", 12),
                    ("caddy_http_request_size_bytes", 9),
                    ("caddy_http_response_size_bytes", 9),
                ] {
                    for (end, count) in [("bucket", buckets), ("sum", 1), ("count", 1)] {
                        let labels = [name(&format!("{histogram}_{end}"))].into_iter().chain(of_handler.clone()).chain(of_pair.clone());
                        series.push((labels.collect(), count));
                    }
                }
            }
        }
    }
    series
}

/// Every status in the service's own metrics, and `EDGE_STATUSES`.
fn statuses(scrape: &str) -> BTreeSet<u16> {
    let of_line = |line: &str| line.split_once("status=\"")?.1.split('"').next()?.parse().ok();
    scrape.lines().filter(|line| line.starts_with("http_requests_total{")).filter_map(of_line).chain(EDGE_STATUSES).collect()
}

/// The worst-case number of samples in a scrape of a job.
fn worst(job: &Job, scrape: &str) -> usize {
    match job.name.as_str() {
        "backend" => series::count(scrape),
        "caddy" => exposed_by_the_edge(&statuses(scrape)).iter().filter(|(labels, _)| job.keeps(labels)).map(|(_, count)| count).sum(),
        other => exported(other).iter().map(|(_, count)| count).sum(),
    }
}

#[tokio::test]
async fn a_scrape_of_every_job_has_at_most_a_third_of_its_limit() {
    let scrape = series::scrape().await;
    println!("job           worst   limit   share");
    for job in Job::all() {
        let (worst, limit) = (worst(&job, scrape), job.limit);
        println!("{:12} {worst:6} {limit:7} {:6} %", job.name, worst * 100 / limit);
        assert!(worst * HEADROOM <= limit, "{}: {worst} samples in the worst case exceed a third of the limit {limit}", job.name);
    }
}

#[tokio::test]
async fn without_its_relabelling_the_edge_exceeds_its_limit() {
    let job = Job::named("caddy").without_relabelling();
    let worst = worst(&job, series::scrape().await);
    assert!(worst > job.limit, "{worst} samples in the worst case do not exceed the limit {}", job.limit);
}

/// Every selector in rules, dashboards, runbooks and documents.
fn selected() -> Vec<Selector> {
    let of_rules = rules().into_iter().map(|rule| rule["expr"].as_str().unwrap().to_owned());
    let of_dashboards = dashboards().into_iter().flat_map(|(_, dashboard)| texts_under(&dashboard, "expr"));
    let documents = files("monitoring/runbooks", "md").into_iter().chain(files("docs", "md"));
    let of_documents = documents.flat_map(|path| queries(&fs::read_to_string(path).unwrap()));
    of_rules.chain(of_dashboards).chain(of_documents).flat_map(|expression| promql::read(&expression).selectors).collect()
}

/// Whether a selector matches series of a job.
fn is_of(selector: &Selector, job: &str) -> bool {
    match selector.matchers.iter().find(|(label, _, _)| label == "job") {
        Some((_, operator, value)) if operator == "=~" => regex_lite::Regex::new(&format!("^(?:{value})$")).unwrap().is_match(job),
        Some((_, _, value)) => value == job,
        None => selector.metric.starts_with(prefix(job)),
    }
}

/// Whether the program of a job exposes a metric. The scripts of `backup/` write theirs into files that node-exporter reads.
fn is_exposed(metric: &str, job: &str) -> bool {
    metric.starts_with(prefix(job)) || (job == "node" && metric.starts_with("backup_"))
}

#[test]
fn relabelling_keeps_exactly_the_selected_metrics() {
    let (catalogue, selectors) = (Catalogue::read(), selected());
    // Prometheus does not relabel the series that it adds to a scrape itself.
    let is_scraped = |metric: &str| metric != "up" && !metric.starts_with("scrape_");
    let is_process = |metric: &str| metric.starts_with("process_");
    for job in Job::all() {
        let Some(kept) = job.kept_names() else {
            assert_eq!(job.name, "backend", "only the job backend keeps all of its metrics");
            continue;
        };
        let used: BTreeSet<&str> = selectors
            .iter()
            .filter(|selector| is_of(selector, &job.name) && is_scraped(&selector.metric))
            .map(|selector| selector.metric.as_str())
            .filter(|metric| if is_process(metric) { exposes_a_process(&job.name) } else { catalogue.row(metric).is_none() })
            // A selector can match several jobs. Except for `process_*`, its metric counts only for the job whose program exposes it.
            .filter(|metric| is_process(metric) || is_exposed(metric, &job.name))
            .collect();
        assert_eq!(kept, used, "{} must keep exactly the selected metrics", job.name);
        if job.name != "caddy" {
            let known: BTreeSet<&str> = exported(&job.name).into_iter().map(|(name, _)| name).collect();
            assert_eq!(kept, known, "`exported` must list exactly the metrics that {} keeps", job.name);
        }
    }
}

/// Whether the program of a job exposes metrics of its own process that are kept.
fn exposes_a_process(job: &str) -> bool {
    !matches!(job, "probe" | "otel-collector")
}

/// The prefix of a job's own metrics: its program's name, with three exceptions.
fn prefix(job: &str) -> &str {
    match job {
        "cadvisor" => "container_",
        "otel-collector" => "otelcol_",
        "postgres" => "pg_",
        program => program,
    }
}

#[test]
fn only_containers_of_this_project_count() {
    let job = Job::named("cadvisor");
    let of = |metric: &str, project: &str| {
        Labels::from([("__name__", metric.to_owned()), ("container_label_com_docker_compose_project", project.to_owned())])
    };
    for (metric, project, is_kept) in [
        ("container_cpu_usage_seconds_total", "vitrine", true),
        ("container_cpu_usage_seconds_total", "vitrine-smoke-1", true),
        ("container_cpu_usage_seconds_total", "other", false),
        ("container_cpu_usage_seconds_total", "", false),
        ("container_last_seen", "vitrine", false),
        ("process_open_fds", "", true),
    ] {
        assert_eq!(job.keeps(&of(metric, project)), is_kept, "{metric} of {project}");
    }
}

/// One of two handlers counts all requests to replicas, depending on whether the site's address has a host name.
#[test]
fn requests_at_the_edge_are_selected_by_the_handler_that_sees_all_of_them() {
    let of_edge: Vec<Selector> = selected().into_iter().filter(|selector| selector.metric.starts_with("caddy_http_")).collect();
    assert!(of_edge.len() > 5, "{} selectors", of_edge.len());
    for selector in of_edge {
        let handler = selector.matchers.iter().find(|(label, _, _)| label == "handler");
        let is_right = handler.is_some_and(|(_, operator, value)| operator == "=~" && value == EDGE_HANDLER);
        assert!(is_right, "{} is selected with {:?}", selector.metric, selector.matchers);
    }
    let job = Job::named("caddy");
    let of = |handler: &str| Labels::from([("__name__", "caddy_http_requests_in_flight".to_owned()), ("handler", handler.to_owned())]);
    for handler in EDGE_HANDLERS.into_iter().chain(["subroute"]) {
        assert_eq!(job.keeps(&of(handler)), EDGE_HANDLER.split('|').any(|kept| kept == handler), "{handler}");
    }
}

#[test]
fn prometheus_exposes_its_scrape_limits_as_metrics() {
    let flag = "--enable-feature=extra-scrape-metrics";
    let is_compared = alerts().into_iter().any(|rule| rule["expr"].as_str().unwrap().contains("scrape_sample_limit"));
    assert!(is_compared, "an alert must query scrape_sample_limit");
    for file in ["docker-compose.yml", "crates/devstack/src/stack/monitoring.rs"] {
        assert!(text(file).contains(flag), "{file} must start Prometheus with {flag}");
    }
}
