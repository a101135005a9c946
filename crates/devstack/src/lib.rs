//! The whole stack as local processes, for the verbs of `cargo xtask`, the proofs and the rule tools. This crate imports no other crate of
//! Vitrine.
//!
//! | where | what |
//! | --- | --- |
//! | [`tools`], [`process`], [`background`] | programs and where to find them, start and stop, processes that outlive their terminal |
//! | [`ports`], [`stores`], [`stack`], [`engine`] | ports, Postgres and Redis, everything together, the Docker engine for environments |
//! | [`doctor`], [`listeners`] | what this machine lacks, who listens on a port |
//! | [`form`], [`configuration`], [`paths`] | demo or production, compose's files with local addresses, paths |
//! | [`backup`] | backups of a stack and their return |
//! | [`settings`] | the variables of `.env` |
//! | [`speed`], [`yaml`] | shorter durations in the monitoring's configuration, removal of blocks from YAML |
//! | [`cargo`], [`node`], [`web`], [`watch`] | builds: the application, Node.js projects, the browser bundle; changes of their sources |
//! | [`http`], [`report`] | requests, and the printed result of a proof |
//! | [`traces`] | a trace with its log lines, read from the stores of traces and logs, and printed as a tree |

#![expect(clippy::missing_errors_doc, reason = "an error is a message for the terminal; no caller distinguishes causes")]

pub mod background;
pub mod backup;
pub mod cargo;
pub mod configuration;
pub mod doctor;
pub mod engine;
pub mod form;
mod hexadecimal;
pub mod http;
pub mod listeners;
pub mod node;
pub mod paths;
pub mod ports;
pub mod process;
pub mod report;
pub mod settings;
pub mod speed;
pub mod stack;
pub mod stores;
pub mod tools;
pub mod traces;
pub mod watch;
pub mod web;
pub mod yaml;
