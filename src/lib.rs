//! Vitrine: an instrumented reference web backend.
//!
//! | where | what |
//! | --- | --- |
//! | [`config`] | every variable |
//! | [`app`] | [`App::build`](app::App::build) and [`App::run`](app::App::run): how the parts become a service |
//! | [`router`], [`server`], [`shutdown`] | routes and layers, connections, the way out |
//! | [`interface`] | the description of the interface (`OpenAPI`) |
//! | [`operations`], [`health`] | the routes for operators, and what readiness rests on |
//! | [`features`] | what the service does: one folder each |
//! | [`http`] | problems, extractors, paging |
//! | [`db`], [`cache`] | Postgres and Redis, measured and bounded |
//! | [`platforms`], [`sealing`] | sites with accounts of their own: the way to them, and how their tokens are kept |
//! | [`faults`] | where faults strike that are made on purpose |
//! | [`metrics`] | the catalogue and everything that counts |
//! | [`pages`] | what people see in a browser |
//! | [`realtime`] | Socket.IO over all replicas |
//! | [`jobs`] | what must happen after an answer was given |
//! | [`fleet`], [`pulse`] | what one replica does for all, what each says of itself |
//!
//! Imports point downwards: routes -> service -> store, service -> events -> metrics. `tests/architecture.rs` holds this.

pub mod app;
pub mod cache;
pub mod config;
pub mod db;
pub mod faults;
pub mod features;
pub mod fleet;
pub mod health;
pub mod http;
pub mod interface;
pub mod jobs;
pub mod metrics;
pub mod operations;
pub mod pages;
pub mod platforms;
pub mod pulse;
pub mod realtime;
pub mod router;
pub mod sealing;
pub mod server;
pub mod shutdown;
pub mod state;
pub mod tasks;
pub mod telemetry;
