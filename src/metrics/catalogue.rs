//! The catalogue: one row holds all of a metric. The doc comment is its HELP text: it names the unit and ends
//! without a full stop. Label types belong to [`labels`](super::labels), what a kind is to [`kinds`](super::kinds).

use super::kinds::{Counter, CounterFamily, FloatCounter, Gauge, GaugeFamily, Histogram, HistogramFamily, Kind, Registrar, Summary};
use super::labels::{
    AssetType, AuthMethod, AuthStatus, Build, CacheType, CallStatus, CalledEndpoint, ClientError, Dependency, Disconnection, DriverAnswer,
    DriverCall, Ending, EnvironmentStatus, EventIn, Extension, FaultKind, Heap, HttpAnswer, HttpError, HttpOperation, HttpRoute, JobKind,
    JobOutcome, Keys, Limiter, LogStream, Loss, Message, Outcome, PageRoute, PlatformAnswer, PlatformCall, PlatformOperation, PoolState,
    Query, QueryStatus, RedisCommand, RedisRole, SessionStatus, SessionType, Severity, SocketError, SystemError, Transport, Vital,
};

const HTTP_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0];
const REQUEST_BYTES: &[f64] = &[100.0, 1e3, 5e3, 1e4, 5e4, 1e5, 5e5, 1e6];
const RESPONSE_BYTES: &[f64] = &[100.0, 500.0, 1e3, 5e3, 1e4, 5e4, 1e5, 5e5];
const REDIS_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
/// Fine where healthy statements are; above that what the dashboard judges by (50 ms, 1 s) and where deadlines are set.
const DB_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0];
const DELAY_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
const DRIVER_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Up to the deadline of a call.
const PLATFORM_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// From an event that looks at nothing to one that opens a terminal.
const EVENT_SECONDS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0];
const FANOUT_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
const SSR_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.025, 0.1, 0.5];
/// Where a vital turns from good to poor: INP at 0.2 and 0.5, TTFB at 0.8 and 1.8, FCP at 1.8, LCP at 2.5 and 4 (web.dev/vitals).
const VITAL_SECONDS: &[f64] = &[0.2, 0.5, 0.8, 1.8, 2.5, 4.0];
/// Good up to 0.1, poor from 0.25.
const SHIFTS: &[f64] = &[0.05, 0.1, 0.25, 1.0];
const ASSET_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
const JOB_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// What the catalogue says of one metric.
pub struct Row {
    /// Section of the documentation.
    pub section: &'static str,
    /// Name.
    pub name: &'static str,
    /// `counter`, `gauge`, `histogram` or `summary`.
    pub kind: &'static str,
    /// HELP text.
    pub help: &'static str,
    /// Label names.
    pub keys: Vec<&'static str>,
    /// Value sets of a closed label set; empty where only the router knows them.
    pub series: Vec<Vec<&'static str>>,
    /// Upper bounds of the histogram's buckets, without `+Inf`.
    pub buckets: &'static [f64],
}

macro_rules! catalogue {
    ($($section:literal { $(#[doc = $help:literal] $field:ident: $kind:ty = $name:literal $(, $buckets:ident)?;)+ })+) => {
        /// Every metric of one application.
        pub struct Catalogue { $($(#[doc = $help] pub $field: $kind,)+)+ }

        impl Catalogue {
            /// Makes every metric on one recorder.
            pub(super) fn register(registrar: &Registrar) -> Self {
                Self { $($($field: <$kind>::register(registrar, $name),)+)+ }
            }
        }

        /// The rows, in the order of this file.
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
        /// Requests answered, by method, route template and status; 499 is a client that left before the end, 500 also an answer that broke off
        http_requests: CounterFamily<HttpAnswer> = "http_requests_total";
        /// Time from a request's arrival to the end of its answer's body in seconds, for operations that the description declares
        http_request_duration: HistogramFamily<HttpOperation> = "http_request_duration_seconds", HTTP_SECONDS;
        /// Size of request bodies in bytes, for operations whose description declares a body
        http_request_size: HistogramFamily<HttpOperation> = "http_request_size_bytes", REQUEST_BYTES;
        /// Size of answer bodies in bytes, as they were sent, for operations whose description declares one
        http_response_size: HistogramFamily<HttpOperation> = "http_response_size_bytes", RESPONSE_BYTES;
        /// Requests whose answer has not ended
        http_requests_in_flight: Gauge<()> = "http_requests_in_flight";
        /// Open TCP connections
        active_connections: Gauge<()> = "active_connections";
        /// Answers that told a client of a problem, by class, route template and status
        api_errors: CounterFamily<HttpError> = "api_errors_total";
        /// Requests whose client left before the end of the answer
        http_requests_cancelled: CounterFamily<HttpRoute> = "http_requests_cancelled_total";
    }
    "Realtime" {
        /// Socket.IO connections that are open, by how they are carried now
        websocket_connections_active: Gauge<Transport> = "websocket_connections_active";
        /// Socket.IO connections that were accepted, by how they were carried then
        websocket_connections: Counter<Transport> = "websocket_connections_total";
        /// Socket.IO connections that ended
        websocket_disconnections: Counter<Disconnection> = "websocket_disconnections_total";
        /// Socket.IO events received from clients and put on their way to clients, one for each client
        websocket_messages: Counter<Message> = "websocket_messages_total";
        /// Refusals and failures of Socket.IO connections and events
        websocket_errors: Counter<SocketError> = "websocket_errors_total";
        /// Time that an event of a client is worked on in seconds
        websocket_handler_duration: Histogram<EventIn> = "websocket_handler_duration_seconds", EVENT_SECONDS;
        /// Time of an event from one replica to another in seconds: half of the way there and back, which a canary goes each second
        websocket_fanout: Histogram<()> = "websocket_fanout_seconds", FANOUT_SECONDS;
        /// 1 while this replica hears on the bus what it says there itself
        websocket_adapter_connected: Gauge<()> = "websocket_adapter_connected";
        /// Events that did not reach a client, or another replica with whatever clients it has
        websocket_messages_dropped: Counter<Loss> = "websocket_messages_dropped_total";
    }
    "Redis and cache" {
        /// Redis commands, connecting included, by outcome
        redis_commands: Counter<(RedisCommand, Outcome)> = "redis_commands_total";
        /// Time of a Redis command in seconds
        redis_command_duration: Histogram<RedisCommand> = "redis_command_duration_seconds", REDIS_SECONDS;
        /// Redis connections that work
        redis_connections_active: Gauge<RedisRole> = "redis_connections_active";
        /// Look-ups that the cache answered
        cache_hits: Counter<CacheType> = "cache_hits_total";
        /// Look-ups that went on to the store
        cache_misses: Counter<CacheType> = "cache_misses_total";
        /// Look-ups and changes that the cache failed
        cache_errors: Counter<CacheType> = "cache_errors_total";
    }
    "Database" {
        /// Database statements, by what they do, to which table, and how they ended
        db_queries: Counter<(Query, QueryStatus)> = "db_queries_total";
        /// Time of a database statement in seconds, without the wait for a connection
        db_query_duration: Histogram<Query> = "db_query_duration_seconds", DB_SECONDS;
        /// Connections of the pool by state
        db_connection_pool_size: Gauge<PoolState> = "db_connection_pool_size";
        /// Time that a request waits for a connection of the pool in seconds
        db_pool_wait: Histogram<()> = "db_pool_wait_seconds", DB_SECONDS;
    }
    "System" {
        /// Errors that are not one request's
        system_errors: Counter<(SystemError, Severity)> = "system_errors_total";
        /// Panics, wherever they were
        uncaught_exceptions: Counter<()> = "uncaught_exceptions_total";
        /// Background tasks that ended with an error or a panic
        unhandled_rejections: Counter<()> = "unhandled_rejections_total";
        /// CPU time spent by the process in seconds
        process_cpu: FloatCounter = "process_cpu_seconds_total";
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
        /// Start of the process in seconds since the Unix epoch
        process_start_time: Gauge<()> = "process_start_time_seconds";
        /// Bytes received in the network namespace of the process, loopback included
        process_network_receive: Counter<()> = "process_network_receive_bytes_total";
        /// Bytes sent in the network namespace of the process, loopback included
        process_network_transmit: Counter<()> = "process_network_transmit_bytes_total";
        /// Bytes that the process had read from disks
        process_disk_read: Counter<()> = "process_disk_read_bytes_total";
        /// Bytes that the process had written to disks
        process_disk_written: Counter<()> = "process_disk_written_bytes_total";
        /// Memory of the allocator in bytes
        process_heap: Gauge<Heap> = "process_heap_bytes";
        /// How late a timer task wakes in seconds: the event loop's lag
        runtime_scheduling_delay: Histogram<()> = "runtime_scheduling_delay_seconds", DELAY_SECONDS;
        /// Quantiles of the scheduling delay over the last 15 seconds in seconds
        runtime_scheduling_delay_quantile: Summary<()> = "runtime_scheduling_delay_quantile_seconds";
        /// Tasks of the runtime that have not ended
        runtime_tasks_alive: Gauge<()> = "runtime_tasks_alive";
        /// Worker threads of the runtime
        runtime_workers: Gauge<()> = "runtime_workers";
        /// Share of the workers' time that was spent busy in the last 5 seconds, 0 to 1
        runtime_worker_busy_ratio: Gauge<()> = "runtime_worker_busy_ratio";
        /// Threads of the runtime for blocking work, idle ones included
        runtime_blocking_threads: Gauge<()> = "runtime_blocking_threads";
        /// Tasks that wait in the runtime's global queue
        runtime_global_queue_depth: Gauge<()> = "runtime_global_queue_depth";
        /// Always 1: the labels say what is running
        build_info: GaugeFamily<Build> = "build_info";
        /// 1 while the dependency is ready; `all` is what the edge is told
        service_ready: Gauge<Dependency> = "service_ready";
        /// 1 while the replica is on its way out
        service_draining: Gauge<()> = "service_draining";
    }
    "Accounts" {
        /// Proofs of identity, by method and outcome
        auth_attempts: Counter<(AuthMethod, AuthStatus)> = "auth_attempts_total";
        /// Sessions that have not ended, over the whole fleet; reported by one replica at a time
        auth_sessions_active: Gauge<()> = "auth_sessions_active";
    }
    "Platforms" {
        /// Steps of signing in or linking by a platform and of what follows from a link, by outcome; for configured platforms
        oauth_operations: CounterFamily<PlatformOperation> = "oauth_operations_total";
        /// Calls of platforms, by outcome; for configured platforms
        social_api_calls: CounterFamily<PlatformAnswer> = "social_api_calls_total";
        /// Time of a call of a platform in seconds, answered or not
        social_api_duration: HistogramFamily<PlatformCall> = "social_api_duration_seconds", PLATFORM_SECONDS;
    }
    "Environments" {
        /// Environments by status, over the whole fleet; reported by one replica at a time
        environments: Gauge<EnvironmentStatus> = "environments";
        /// Calls of the driver of environments, by outcome; `sim` is the simulated driver
        docker_operations: CounterFamily<DriverAnswer> = "docker_operations_total";
        /// Time of a call of the driver of environments in seconds
        docker_operation_duration: HistogramFamily<DriverCall> = "docker_operation_duration_seconds", DRIVER_SECONDS;
        /// Sessions in environments, over the whole fleet; reported by one replica at a time. Closed ones are remembered for a week
        workspace_sessions: Gauge<(SessionType, SessionStatus)> = "workspace_sessions";
        /// Installations of extensions that were tried to their end
        extension_installations: Counter<(Extension, Ending)> = "extension_installations_total";
        /// Lines of environments' logs that were stored
        log_entries: Counter<LogStream> = "log_entries_total";
        /// Lines of environments' logs that were not stored because an environment wrote too many in one second
        log_entries_dropped: Counter<()> = "log_entries_dropped_total";
    }
    "Jobs" {
        /// Attempts at background jobs, by how they ended
        jobs: Counter<(JobKind, JobOutcome)> = "jobs_total";
        /// Time of an attempt at a background job in seconds
        job_duration: Histogram<JobKind> = "job_duration_seconds", JOB_SECONDS;
        /// Background jobs that have not ended, over the whole fleet; reported by one replica at a time
        jobs_pending: Gauge<JobKind> = "jobs_pending";
        /// How long the longest-waiting job has been due in seconds, over the whole fleet; reported by one replica at a time
        jobs_oldest_due: Gauge<()> = "jobs_oldest_due_seconds";
    }
    "Limits" {
        /// Attempts that a limit refused
        rate_limited: Counter<Limiter> = "rate_limited_total";
        /// Requests answered with the stored result of an earlier one
        idempotent_replays: Counter<()> = "idempotent_replays_total";
    }
    "Faults" {
        /// Times that a fault struck which was made on purpose
        faults_injected: Counter<FaultKind> = "faults_injected_total";
    }
    "Frontend" {
        /// Pages that browsers have shown, as they report it
        page_views: Counter<PageRoute> = "page_views_total";
        /// Time that the server takes to make a page in seconds
        ssr_duration: Histogram<PageRoute> = "ssr_duration_seconds", SSR_SECONDS;
        /// Calls of the interface that pages have made, as browsers report them
        api_calls: Counter<(CalledEndpoint, CallStatus)> = "api_calls_total";
        /// Errors in pages, as browsers report them
        client_errors: Counter<ClientError> = "client_errors_total";
        /// How long visitors wait in seconds, as browsers report it for a sample of visits
        web_vitals: Histogram<(PageRoute, Vital)> = "web_vitals_seconds", VITAL_SECONDS;
        /// How much of a page moves under the visitor's eyes (cumulative layout shift), as browsers report it for a sample of visits
        web_vitals_cls: Histogram<PageRoute> = "web_vitals_cls", SHIFTS;
        /// Time that a browser takes to load a file of a page in seconds, as browsers report it for a sample of visits
        static_asset_load: Histogram<AssetType> = "static_asset_load_seconds", ASSET_SECONDS;
        /// Parts of pages that could not start, as browsers report it
        error_boundaries: Counter<PageRoute> = "error_boundaries_total";
    }
    "Business" {
        /// Accounts created
        users_registered: Counter<()> = "users_registered_total";
        /// Projects created
        projects_created: Counter<()> = "projects_created_total";
        /// Projects that entered the showcase, each time that they did
        projects_published: Counter<()> = "projects_published_total";
        /// Posts created; each goes to one platform or more
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
    fn every_help_text_ends_without_a_full_stop_and_every_counter_in_total() {
        for row in rows() {
            assert!(!row.help.ends_with('.') && !row.help.is_empty(), "{}", row.name);
            assert_eq!(row.kind == "counter", row.name.ends_with("_total"), "{}", row.name);
        }
    }
}
