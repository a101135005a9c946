//! Vitrine: an instrumented reference web backend.
//!
//! | where | what |
//! | --- | --- |
//! | [`config`] | every environment variable |
//! | [`app`] | [`App::build`](app::App::build) and [`App::run`](app::App::run): construction and lifecycle of the service |
//! | [`router`], [`server`], [`shutdown`] | routes and layers, connections, the signals that start a shutdown |
//! | [`state`] | the services that handlers share |
//! | [`interface`], [`api_docs`] | the `OpenAPI` description, and its pages |
//! | [`operations`], [`health`] | routes for operators, and the state of the dependencies |
//! | [`diagnosis`] | why a store refuses the service, in sentences for operators |
//! | [`tools`] | the state of the operators' tools, such as Grafana |
//! | [`features`] | the features of the service, one folder each |
//! | [`domain`] | enums, validation, paging and versions, for models, services and stores |
//! | [`http`] | problems, extractors, the layers of the router |
//! | [`db`], [`cache`] | Postgres and Redis, with metrics and time limits |
//! | [`mail`] | the client of the mail server |
//! | [`platforms`], [`sealing`] | clients of external platforms, and encryption of their tokens |
//! | [`fault_injection`] | active faults, and the checks that injection points make |
//! | [`metrics`] | the catalogue, labels and samplers |
//! | [`pages`] | HTML pages |
//! | [`demo`] | the demo data that `vitrine seed` adds |
//! | [`realtime`] | Socket.IO across all replicas |
//! | [`jobs`] | background jobs |
//! | [`tasks`], [`telemetry`] | supervision of background tasks; logs, traces and the handling of panics |
//! | [`fleet`], [`heartbeat`] | work that one replica does for all, and the heartbeats of replicas |
//!
//! Imports point downwards: routes -> service -> store, service -> events -> metrics. `tests/architecture/` enforces this.

pub mod api_docs;
pub mod app;
pub mod cache;
pub mod config;
pub mod db;
pub mod demo;
pub mod diagnosis;
pub mod domain;
pub mod fault_injection;
pub mod features;
pub mod fleet;
pub mod health;
pub mod heartbeat;
pub mod http;
pub mod interface;
pub mod jobs;
pub mod mail;
pub mod metrics;
pub mod operations;
pub mod pages;
pub mod platforms;
pub mod realtime;
pub mod router;
pub mod sealing;
pub mod server;
pub mod shutdown;
pub mod state;
pub mod tasks;
pub mod telemetry;
pub mod tools;
