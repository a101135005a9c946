//! The load: clients create projects, and each creation that the service acknowledges is remembered with its time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use devstack::process::wait_until;
use devstack::stack::Stack;
use serde_json::json;

use crate::drill::traffic::Traffic;

/// Requests per second, and the number of clients.
const LOAD: (u32, u32) = (40, 4);
/// Longest time until enough writes are acknowledged on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
/// The beginning of the names of the created projects.
const PREFIX: &str = "Disaster";

/// The acknowledged writes, in order of their acknowledgement.
#[derive(Clone, Default)]
pub struct Acknowledged(Arc<Mutex<Vec<(String, Instant)>>>);

impl Acknowledged {
    /// The names of the projects, and when each was acknowledged.
    pub fn all(&self) -> Vec<(String, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until this many more are acknowledged, and returns all.
    pub fn wait_for_more(&self, count: usize) -> Result<Vec<(String, Instant)>> {
        let enough = self.all().len() + count;
        wait_until("more acknowledged writes", LIMIT, || Ok(self.all().len() >= enough))?;
        Ok(self.all())
    }

    /// Starts the load, which lasts until the returned value is dropped.
    pub fn under_load(&self, edge: &str, token: &str) -> Traffic {
        let (all, url, bearer) = (self.clone(), format!("{edge}/api/projects"), format!("Bearer {token}"));
        let first = self.all().len();
        Traffic::start(LOAD.0, LOAD.1, move |client, number| {
            let name = format!("{PREFIX} {first}-{number}");
            let sent = client.send("POST", &url, &[("authorization", &bearer)], Some(&json!({ "name": name })));
            if sent.is_ok_and(|answer| answer.status == 201) {
                all.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, Instant::now()));
            }
        })
    }
}

/// The names of the created projects that the database has.
pub fn stored(stack: &Stack) -> Result<BTreeSet<String>> {
    Ok(stack.sql(&format!("SELECT name FROM projects WHERE name LIKE '{PREFIX} %'"))?.lines().map(str::to_owned).collect())
}
