//! Drills: each alert fires on its real cause, notifies its receiver, and resolves after the mitigation that its runbook names.
//!
//! There is one file of drills per rule file (`http`, `database`, …); `schedule` defines which drills run at the same time. The tools of
//! drills are `bench` (the stack and its controls) and `traffic` (requests at a rate). `watch` observes the alerts, `run` executes the
//! drills, and `document` writes the results. `panels` uses the same causes to make dashboard panels react.

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

/// Undoes the cause.
pub type Mitigation = Box<dyn FnOnce(&mut Bench) -> Result<()>>;

/// One cause and the alerts that it raises.
pub struct Drill {
    /// The names of the alerts.
    pub alerts: &'static [&'static str],
    /// The injected failure, in words.
    pub cause: &'static str,
    /// The fix, as in the runbook.
    pub mitigation: &'static str,
    /// Injects the cause and returns its mitigation.
    pub inject: fn(&mut Bench) -> Result<Mitigation>,
}

/// The mitigation of a cause that lasts until `cause` is dropped.
pub fn ends(cause: impl Any) -> Mitigation {
    Box::new(|_| {
        drop(cause);
        Ok(())
    })
}
