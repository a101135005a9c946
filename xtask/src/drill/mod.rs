//! Drills: each alert is made to fire by what it warns of, reaches somebody, and ends when what its runbook says is done.
//!
//! A file for each file of rules says how (`http`, `database`, …); `schedule` says which drills run at the same time. What drills do it
//! with: `bench` (the stack and its levers), `traffic` (requests at a rate). How it is judged: `watch`. What it leaves: `document`.
//! The same causes move panels: `panels`.

pub mod accounts;
pub mod bench;
pub mod burns;
pub mod cache;
pub mod database;
pub mod document;
pub mod environments;
pub mod frontend;
pub mod http;
pub mod infra;
pub mod jobs;
pub mod meta;
pub mod realtime;
pub mod run;
pub mod runtime;
pub mod schedule;
pub mod stability;
pub mod traffic;
pub mod watch;

use std::any::Any;

use anyhow::Result;

use bench::Bench;

/// How the cause is taken away again.
pub type Mitigation = Box<dyn FnOnce(&mut Bench) -> Result<()>>;

/// One cause and the alerts that tell of it.
pub struct Drill {
    /// The alerts, by their names.
    pub alerts: &'static [&'static str],
    /// What is done to the service.
    pub cause: &'static str,
    /// What is done about it, as the runbook says.
    pub mitigation: &'static str,
    /// Does the first; answers the second.
    pub inject: fn(&mut Bench) -> Result<Mitigation>,
}

/// The mitigation of a cause that lasts as long as a value.
pub fn ends(cause: impl Any) -> Mitigation {
    Box::new(|_| {
        drop(cause);
        Ok(())
    })
}
