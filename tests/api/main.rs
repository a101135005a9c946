//! Tests of the service from outside, with clients, operators and failing stores. Each file has one subject.
//!
//! `DATABASE_URL` (of a superuser, with any database) and `REDIS_URL` name the stores. `eval "$(cargo xtask stores --detach)"` starts
//! Postgres and Redis, and sets both variables. Every test has a database and Redis keys of its own. Most tests start the service as `main`
//! does. No test sleeps for a fixed time: tests wait for a condition until a deadline, see `support::eventually`. A test asserts that an
//! operation is fast enough only if the service guarantees the time limit.

#![expect(clippy::unwrap_used, reason = "a failed test ends with a panic")]
#![expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "metrics are whole numbers in floating-point format")]

mod support;

mod accounts;
mod audit;
mod authorisation;
mod bad_input;
mod bad_routes;
mod chaos_jobs;
mod chaos_postgres;
mod chaos_redis;
mod config;
mod confirmation;
mod deletion;
mod deliveries;
mod deliveries_faults;
mod demo;
mod docker;
mod docker_faults;
mod drivers;
mod edge;
mod edge_replicas;
mod edge_tracing;
mod environments;
mod environments_docker;
mod extensions;
mod failover_postgres;
mod failover_redis;
mod faults;
mod faults_effects;
mod faults_replicas;
mod fleet;
mod health;
mod idempotency;
mod insights;
mod job_lanes;
mod jobs;
mod known_clients;
mod log_export;
mod log_levels;
mod logs;
mod logs_live;
mod long_lists;
mod mails;
mod members;
mod metrics;
mod migrations;
mod oauth;
mod oauth_attacks;
mod oauth_faults;
mod oauth_keys;
mod oidc_provider;
mod operator;
mod overload;
mod pages;
mod paging;
mod password_change;
mod password_reset;
mod pooler;
mod posts;
mod projects;
mod publish;
mod refusals;
mod revocation;
mod rotation_postgres;
mod rotation_redis;
mod second_factor;
mod server;
mod sessions;
mod showcase;
mod slow_requests;
mod sockets;
mod sockets_attacks;
mod sockets_edge;
mod sockets_environments;
mod sockets_events;
mod sockets_faults;
mod sockets_logout;
mod sockets_posts;
mod sockets_presence;
mod sockets_projects;
mod sockets_slow;
mod strangers;
mod terminals;
mod terminals_docker;
mod terminals_engine;
mod throttle;
mod throttle_windows;
mod tls_postgres;
mod tls_redis;
mod traces;
mod traces_attributes;
mod traces_replicas;
mod unknown_values;
mod visits;
mod workspace_sessions;
