//! Drills: each alert fires on its cause, notifies its receiver (if an Alertmanager is left to notify), and resolves after the mitigation
//! that its runbook names.
//!
//! The files of drills are named after rule files (`http`, `database`, …), except two: `burns` has drills of the rule file `slo`, and `edge`
//! of the rule file `infra`.
//! `schedule` defines the order of the drills and which of them run at the same time. The tools of drills are `test_stack` (the stack and
//! its controls) and `traffic` (requests at a rate). `watch` observes the alerts, `run` executes the drills, and `document` writes the
//! results. `panels` uses the same causes to make dashboard panels react.

pub(crate) mod accounts;
pub(crate) mod backup;
pub(crate) mod burns;
pub(crate) mod cache;
pub(crate) mod database;
pub(crate) mod document;
pub(crate) mod edge;
pub(crate) mod environments;
pub(crate) mod frontend;
pub(crate) mod http;
pub(crate) mod infra;
pub(crate) mod jobs;
pub(crate) mod meta;
pub mod proof;
pub mod quiet;
pub(crate) mod realtime;
pub(crate) mod run;
pub(crate) mod runtime;
pub(crate) mod schedule;
pub(crate) mod stability;
pub(crate) mod test_stack;
pub(crate) mod traffic;
pub(crate) mod watch;

use std::any::Any;

use anyhow::Result;

use test_stack::TestStack;

/// Undoes the cause.
pub type Mitigation = Box<dyn FnOnce(&mut TestStack) -> Result<()>>;

/// One cause and the alerts that it raises.
pub struct Drill {
    /// The alerts, as the keys that `watch` defines.
    pub alerts: &'static [&'static str],
    /// The injected failure, in words.
    pub cause: &'static str,
    /// The fix, as in the runbook.
    pub mitigation: &'static str,
    /// Injects the cause and returns its mitigation.
    pub inject: fn(&mut TestStack) -> Result<Mitigation>,
}

/// The mitigation of a cause that lasts until `cause` is dropped.
pub fn ends(cause: impl Any) -> Mitigation {
    Box::new(|_| {
        drop(cause);
        Ok(())
    })
}
