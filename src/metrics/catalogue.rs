//! The metric catalogue: one row defines one metric completely. Its doc comment is the HELP text, which names the unit and has no
//! final full stop. Label types belong in [`labels`](super::labels), metric kinds in [`kinds`](super::kinds).

use super::kinds::{Counter, CounterFamily, FloatCounter, Gauge, GaugeFamily, Histogram, HistogramFamily, Kind, Registrar, Summary};
use super::labels::{
    AssetType, AuthEvent, AuthMethod, AuthStatus, Build, CacheType, CallStatus, CalledEndpoint, ClientError, Dependency, Disconnection,
    DriverAnswer, DriverCall, Ending, EventIn, Heap, HttpAnswer, HttpError, HttpOperation, HttpRoute, JobKind, JobOutcome, Keys, Limiter,
    Loss, MailOutcome, MailTemplate, Message, Outcome, PageRoute, PlatformAnswer, PlatformCall, PlatformOperation, PoolState, Query,
    QueryStatus, RedisCommand, RedisRole, Severity, SocketError, SystemError, TelemetrySignal, Transport, Vital,
};
use crate::domain::{EnvironmentStatus, Extension, FaultKind, LogStream, SessionStatus, SessionType};

const HTTP_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0];
const REQUEST_BYTES: &[f64] = &[100.0, 1e3, 5e3, 1e4, 5e4, 1e5, 5e5, 1e6];
const RESPONSE_BYTES: &[f64] = &[100.0, 500.0, 1e3, 5e3, 1e4, 5e4, 1e5, 5e5];
const REDIS_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
/// Fine-grained up to 10 ms, for healthy statements. The larger bounds include the thresholds of dashboards and alerts (50 ms to 1 s) and
/// values beyond the deadlines.
const DB_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0];
const DELAY_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
const DRIVER_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// The largest bound is above the deadline of the calls that a request makes (4 s by default). The calls of a job may take up to 10 s.
const PLATFORM_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// The smallest bounds are for events without I/O, the largest for events that open a terminal.
const EVENT_SECONDS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0];
const FANOUT_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
const SSR_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.025, 0.1, 0.5];
/// The thresholds of the vitals: INP at 0.2 and 0.5, TTFB at 0.8 and 1.8, FCP at 1.8, LCP at 2.5 and 4 (web.dev/vitals).
const VITAL_SECONDS: &[f64] = &[0.2, 0.5, 0.8, 1.8, 2.5, 4.0];
/// Cumulative layout shift: good up to 0.1, poor above 0.25.
const SHIFTS: &[f64] = &[0.05, 0.1, 0.25, 1.0];
const ASSET_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
const JOB_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The catalogue's description of one metric.
pub struct Row {
    /// Section in `docs/METRICS.md`.
    pub section: &'static str,
    /// Full name, with unit and `_total`.
    pub name: &'static str,
    /// `counter`, `gauge`, `histogram` or `summary`.
    pub kind: &'static str,
    /// HELP text, without a final full stop.
    pub help: &'static str,
    /// Label names, in order.
    pub keys: Vec<&'static str>,
    /// The combinations of label values; empty if they are known only at runtime.
    pub series: Vec<Vec<&'static str>>,
    /// Upper bounds of the histogram's buckets, without `+Inf`.
    pub buckets: &'static [f64],
}

macro_rules! catalogue {
    ($($section:literal { $(#[doc = $help:literal] $field:ident: $kind:ty = $name:literal $(, $buckets:ident)?;)+ })+) => {
        /// All metrics of one application.
        pub struct Catalogue { $($(#[doc = $help] pub $field: $kind,)+)+ }

        impl Catalogue {
            /// Registers all metrics with their families.
            pub(super) fn register(registrar: &Registrar) -> Self {
                Self { $($($field: <$kind>::register(registrar, $name),)+)+ }
            }
        }

        /// All rows, in the order of this file.
        #[must_use]
        pub fn rows() -> Vec<Row> {
            vec![$($(Row {
                section: $section,
                name: $name,
                kind: <$kind>::TYPE,
                help: $help.trim_ascii(),
                keys: <<$kind as Kind>::Labels as Keys>::keys(),
                series: <$kind>::series(),
                buckets: catalogue!(@buckets $($buckets)?),
            },)+)+]
        }
    };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
}

catalogue! {
    "HTTP" {
        /// Completed requests by method, route template and status; 499 is a client disconnect, 500 includes responses whose body failed
        http_requests: CounterFamily<HttpAnswer> = "http_requests_total";
        /// Time from the arrival of a request to the end of its response body in seconds, for declared operations except Socket.IO
        http_request_duration: HistogramFamily<HttpOperation> = "http_request_duration_seconds", HTTP_SECONDS;
        /// Size of request bodies in bytes, for operations that declare a request body
        http_request_size: HistogramFamily<HttpOperation> = "http_request_size_bytes", REQUEST_BYTES;
        /// Size of response bodies in bytes as sent, for operations that declare a response body
        http_response_size: HistogramFamily<HttpOperation> = "http_response_size_bytes", RESPONSE_BYTES;
        /// Time from the edge to the replica in seconds, for requests that the replica may refuse as late
        http_queue_duration: Histogram<()> = "http_queue_duration_seconds", DELAY_SECONDS;
        /// Requests refused because they waited too long between the edge and the replica
        http_requests_shed: Counter<()> = "http_requests_shed_total";
        /// Requests in flight, until the end of the response body
        http_requests_in_flight: Gauge<()> = "http_requests_in_flight";
        /// Open TCP connections
        active_connections: Gauge<()> = "active_connections";
        /// Error responses and client disconnects by class, route template and status
        api_errors: CounterFamily<HttpError> = "api_errors_total";
        /// Requests whose client disconnected before the end of the response
        http_requests_cancelled: CounterFamily<HttpRoute> = "http_requests_cancelled_total";
    }
    "Realtime" {
        /// Open Socket.IO connections by current transport
        websocket_connections_active: Gauge<Transport> = "websocket_connections_active";
        /// Accepted Socket.IO connections by initial transport
        websocket_connections: Counter<Transport> = "websocket_connections_total";
        /// Ended Socket.IO connections by reason
        websocket_disconnections: Counter<Disconnection> = "websocket_disconnections_total";
        /// Socket.IO events received from clients and queued for clients, counted once per client
        websocket_messages: Counter<Message> = "websocket_messages_total";
        /// Rejected and failed Socket.IO connections and events by type
        websocket_errors: Counter<SocketError> = "websocket_errors_total";
        /// Time to handle an event from a client in seconds
        websocket_handler_duration: Histogram<EventIn> = "websocket_handler_duration_seconds", EVENT_SECONDS;
        /// Latency of an event from one replica to another in seconds: half of the round trip of a canary that is sent every second
        websocket_fanout: Histogram<()> = "websocket_fanout_seconds", FANOUT_SECONDS;
        /// 1 while this replica receives its own messages over the bus
        websocket_adapter_connected: Gauge<()> = "websocket_adapter_connected";
        /// Events dropped on the way to a client or between replicas, by reason; `inbox` counts bus messages of any kind
        websocket_messages_dropped: Counter<Loss> = "websocket_messages_dropped_total";
    }
    "Redis and cache" {
        /// Redis commands, including connection attempts, by outcome
        redis_commands: Counter<(RedisCommand, Outcome)> = "redis_commands_total";
        /// Duration of Redis commands in seconds
        redis_command_duration: Histogram<RedisCommand> = "redis_command_duration_seconds", REDIS_SECONDS;
        /// Established Redis connections by role
        redis_connections_active: Gauge<RedisRole> = "redis_connections_active";
        /// Lookups that the cache answered
        cache_hits: Counter<CacheType> = "cache_hits_total";
        /// Lookups that the cache did not answer
        cache_misses: Counter<CacheType> = "cache_misses_total";
        /// Lookups and changes that failed in the cache
        cache_errors: Counter<CacheType> = "cache_errors_total";
    }
    "Database" {
        /// Database statements by operation, table and outcome
        db_queries: Counter<(Query, QueryStatus)> = "db_queries_total";
        /// Duration of database statements in seconds, excluding the wait for a connection
        db_query_duration: Histogram<Query> = "db_query_duration_seconds", DB_SECONDS;
        /// Connections of the database pool by state
        db_connection_pool_size: Gauge<PoolState> = "db_connection_pool_size";
        /// Wait for a connection of the database pool in seconds
        db_pool_wait: Histogram<()> = "db_pool_wait_seconds", DB_SECONDS;
    }
    "System" {
        /// Panics, ended background tasks, failed migrations and failed connections, by type and severity
        system_errors: Counter<(SystemError, Severity)> = "system_errors_total";
        /// Panics in any part of the process
        uncaught_exceptions: Counter<()> = "uncaught_exceptions_total";
        /// Background tasks that ended before shutdown
        unhandled_rejections: Counter<()> = "unhandled_rejections_total";
        /// Traces to keep and log lines that were not exported, because the collector did not accept them or because too many waited
        telemetry_export_failures: Counter<TelemetrySignal> = "telemetry_export_failures_total";
        /// CPU time spent by the process in seconds
        process_cpu: FloatCounter<()> = "process_cpu_seconds_total";
        /// Resident memory in bytes
        process_resident_memory: Gauge<()> = "process_resident_memory_bytes";
        /// Virtual memory in bytes
        process_virtual_memory: Gauge<()> = "process_virtual_memory_bytes";
        /// Open file descriptors
        process_open_fds: Gauge<()> = "process_open_fds";
        /// Limit of open file descriptors
        process_max_fds: Gauge<()> = "process_max_fds";
        /// Threads of the process
        process_threads: Gauge<()> = "process_threads";
        /// Start time of the process in seconds since the Unix epoch
        process_start_time: Gauge<()> = "process_start_time_seconds";
        /// Bytes received in the network namespace of the process, loopback included
        process_network_receive: Counter<()> = "process_network_receive_bytes_total";
        /// Bytes sent in the network namespace of the process, loopback included
        process_network_transmit: Counter<()> = "process_network_transmit_bytes_total";
        /// Bytes read from disk on behalf of the process
        process_disk_read: Counter<()> = "process_disk_read_bytes_total";
        /// Bytes written to disk on behalf of the process
        process_disk_written: Counter<()> = "process_disk_written_bytes_total";
        /// Memory of the allocator in bytes
        process_heap: Gauge<Heap> = "process_heap_bytes";
        /// Delay of a timer task beyond its deadline in seconds: the lag of the event loop
        runtime_scheduling_delay: Histogram<()> = "runtime_scheduling_delay_seconds", DELAY_SECONDS;
        /// Quantiles of the scheduling delay in seconds, over the last 15 seconds
        runtime_scheduling_delay_quantile: Summary<()> = "runtime_scheduling_delay_quantile_seconds";
        /// Live tasks of the async runtime
        runtime_tasks_alive: Gauge<()> = "runtime_tasks_alive";
        /// Worker threads of the async runtime
        runtime_workers: Gauge<()> = "runtime_workers";
        /// Busy share of the workers' time over the last 5 seconds, 0 to 1
        runtime_worker_busy_ratio: Gauge<()> = "runtime_worker_busy_ratio";
        /// Threads of the async runtime for blocking work, including idle ones
        runtime_blocking_threads: Gauge<()> = "runtime_blocking_threads";
        /// Tasks in the global queue of the async runtime
        runtime_global_queue_depth: Gauge<()> = "runtime_global_queue_depth";
        /// Always 1; the labels identify the running build
        build_info: GaugeFamily<Build> = "build_info";
        /// 1 while the dependency is ready; `all` is the readiness that the edge checks
        service_ready: Gauge<Dependency> = "service_ready";
        /// 1 while the replica is draining
        service_draining: Gauge<()> = "service_draining";
    }
    "Accounts" {
        /// Authentication attempts by method and outcome
        auth_attempts: Counter<(AuthMethod, AuthStatus)> = "auth_attempts_total";
        /// Requests for links in mails, and changes of credentials, by event and outcome
        auth_events: Counter<(AuthEvent, AuthStatus)> = "auth_events_total";
        /// Attempts to send a mail to the owner of an account, by template and outcome
        mails_sent: Counter<(MailTemplate, MailOutcome)> = "mails_sent_total";
        /// Active login sessions across the whole fleet, reported by one replica at a time
        auth_sessions_active: Gauge<()> = "auth_sessions_active";
    }
    "Platforms" {
        /// Steps of OAuth sign-ins and links, and operations on linked accounts, by outcome, for configured platforms
        oauth_operations: CounterFamily<PlatformOperation> = "oauth_operations_total";
        /// Calls to platforms by outcome, for configured platforms
        social_api_calls: CounterFamily<PlatformAnswer> = "social_api_calls_total";
        /// Duration of calls to platforms in seconds, whether answered or not
        social_api_duration: HistogramFamily<PlatformCall> = "social_api_duration_seconds", PLATFORM_SECONDS;
    }
    "Environments" {
        /// Environments across the whole fleet by status, reported by one replica at a time
        environments: Gauge<EnvironmentStatus> = "environments";
        /// Calls to the environment driver by outcome; `sim` is the simulated driver
        docker_operations: CounterFamily<DriverAnswer> = "docker_operations_total";
        /// Duration of calls to the environment driver in seconds
        docker_operation_duration: HistogramFamily<DriverCall> = "docker_operation_duration_seconds", DRIVER_SECONDS;
        /// Workspace sessions across the whole fleet by type and status, reported by one replica at a time; closed ones are kept for a week
        workspace_sessions: Gauge<(SessionType, SessionStatus)> = "workspace_sessions";
        /// Completed installations of extensions by outcome
        extension_installations: Counter<(Extension, Ending)> = "extension_installations_total";
        /// Stored log lines of environments by stream
        log_entries: Counter<LogStream> = "log_entries_total";
        /// Log lines dropped because an environment wrote too many in one second
        log_entries_dropped: Counter<()> = "log_entries_dropped_total";
    }
    "Jobs" {
        /// Attempts at background jobs by outcome
        jobs: Counter<(JobKind, JobOutcome)> = "jobs_total";
        /// Duration of an attempt at a background job in seconds
        job_duration: Histogram<JobKind> = "job_duration_seconds", JOB_SECONDS;
        /// Unfinished background jobs across the whole fleet, reported by one replica at a time
        jobs_pending: Gauge<JobKind> = "jobs_pending";
        /// Time in seconds since the oldest waiting job became due, across the whole fleet, reported by one replica at a time
        jobs_oldest_due: Gauge<()> = "jobs_oldest_due_seconds";
    }
    "Limits" {
        /// Attempts rejected by a rate limit or a concurrency limit
        rate_limited: Counter<Limiter> = "rate_limited_total";
        /// Requests answered with the stored response of an earlier request with the same idempotency key
        idempotent_replays: Counter<()> = "idempotent_replays_total";
    }
    "Faults" {
        /// Injected faults by kind
        faults_injected: Counter<FaultKind> = "faults_injected_total";
    }
    "Frontend" {
        /// Page views as reported by browsers
        page_views: Counter<PageRoute> = "page_views_total";
        /// Time to read the data of a page and render the page on the server in seconds
        ssr_duration: Histogram<PageRoute> = "ssr_duration_seconds", SSR_SECONDS;
        /// API calls from pages as reported by browsers
        api_calls: Counter<(CalledEndpoint, CallStatus)> = "api_calls_total";
        /// Errors in pages as reported by browsers
        client_errors: Counter<ClientError> = "client_errors_total";
        /// Web Vitals in seconds as reported by browsers for a sample of visits
        web_vitals: Histogram<(PageRoute, Vital)> = "web_vitals_seconds", VITAL_SECONDS;
        /// Cumulative layout shift of pages, a score without unit, as reported by browsers for a sample of visits
        web_vitals_cls: Histogram<PageRoute> = "web_vitals_cls", SHIFTS;
        /// Load time of static assets in seconds as reported by browsers for a sample of visits
        static_asset_load: Histogram<AssetType> = "static_asset_load_seconds", ASSET_SECONDS;
        /// Parts of pages that failed to start, as reported by browsers
        error_boundaries: Counter<PageRoute> = "error_boundaries_total";
    }
    "Business" {
        /// Accounts created
        users_registered: Counter<()> = "users_registered_total";
        /// Projects created
        projects_created: Counter<()> = "projects_created_total";
        /// Publications of projects in the showcase, including repeated ones
        projects_published: Counter<()> = "projects_published_total";
        /// Posts created, each for one or more platforms
        posts_created: Counter<()> = "posts_created_total";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_histogram_has_ascending_buckets_and_nothing_else_has_any() {
        for row in rows() {
            assert_eq!(row.kind == "histogram", !row.buckets.is_empty(), "{}", row.name);
            assert!(row.buckets.is_sorted_by(|a, b| a < b), "{}", row.name);
        }
    }

    #[test]
    fn no_help_text_ends_with_a_full_stop_and_exactly_the_counters_end_in_total() {
        for row in rows() {
            assert!(!row.help.ends_with('.') && !row.help.is_empty(), "{}", row.name);
            assert_eq!(row.kind == "counter", row.name.ends_with("_total"), "{}", row.name);
        }
    }
}
