//! The driver of environments: it fails, it is slow, and what it failed at stays in error.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::Drill;
use super::bench::{Bench, shoot};
use super::traffic::Traffic;
use crate::http::send;
use crate::process::wait_until;
use crate::users::create_project;

/// Longest time that making an environment takes here.
const LIMIT: Duration = Duration::from_mins(1);
/// What an environment is made of.
const IMAGE: &str = "busybox:1.37";

/// Nothing that the driver is asked to start starts.
pub const FAILING: Drill = Drill {
    alerts: &["HighDockerFailureRate", "HighEnvironmentErrorRate"],
    cause: "the driver fails at every start: eight environments end in error, the owner of six others tries again and again",
    mitigation: "the driver is mended (fault `driver`), the environments are deleted",
    inject: |bench| {
        let (given_up, tried) = (Environments::make(bench, 8)?, Environments::make(bench, 6)?);
        let fault = bench.known_fault(json!({ "fault": "driver", "operation": "start" }))?;
        given_up.all("start", 202)?;
        let starts = tried.each(2, "start");
        Ok(Box::new(move |bench| {
            bench.end_fault(&fault)?;
            drop(starts);
            given_up.delete()?;
            tried.delete()
        }))
    },
};

/// The driver takes seven seconds for what takes one.
pub const SLOW: Drill = Drill {
    alerts: &["SlowDockerOperations"],
    cause: "every restart takes the driver 7 s longer, of the 10 s that it may, for twenty environments one after the other",
    mitigation: "the driver is mended (fault `driver`)",
    inject: |bench| {
        let some = Environments::make(bench, 20)?;
        some.all("start", 202)?;
        some.wait_for("running")?;
        let fault = bench.known_fault(json!({ "fault": "driver", "operation": "restart", "delay_ms": 7000 }))?;
        let restarts = some.each(1, "restart");
        Ok(Box::new(move |bench| {
            drop(restarts);
            bench.end_fault(&fault)
        }))
    },
};

/// Environments of one owner in one project.
pub struct Environments {
    bearer: String,
    places: Vec<String>,
}

impl Environments {
    /// Makes some, which are stopped then.
    pub fn make(bench: &Bench, count: usize) -> Result<Self> {
        let (edge, token) = (bench.stack.edge()?, bench.somebody()?);
        let project = create_project(&edge, &token, "Drilled")?;
        let mut some = Self { bearer: format!("Bearer {token}"), places: Vec::new() };
        for number in 0..count {
            let new = json!({ "name": format!("drill-{number}"), "image": IMAGE });
            let created = send("POST", &format!("{edge}/api/projects/{project}/environments"), &some.auth(), Some(&new))?;
            ensure!(created.status == 201, "environment: {}", created.body);
            some.places.push(format!("{edge}{}", created.header("location")));
        }
        some.wait_for("stopped")?;
        Ok(some)
    }

    fn auth(&self) -> [(&str, &str); 1] {
        [("authorization", &self.bearer)]
    }

    /// Asks for an act of every one.
    pub fn all(&self, act: &str, status: u16) -> Result<()> {
        for place in &self.places {
            let answer = send("POST", &format!("{place}/{act}"), &self.auth(), None)?;
            ensure!(answer.status == status, "{act}: {} {}", answer.status, answer.body);
        }
        Ok(())
    }

    fn wait_for(&self, status: &str) -> Result<()> {
        for place in &self.places {
            wait_until(&format!("an environment is {status}"), LIMIT, || {
                let now = send("GET", place, &self.auth(), None)?.json()?;
                Ok(now["status"].as_str().context("an environment has a status")? == status)
            })?;
        }
        Ok(())
    }

    /// Asks for an act so often a second, of one environment after the other.
    fn each(&self, per_second: u32, act: &'static str) -> Traffic {
        let (bearer, places) = (self.bearer.clone(), self.places.clone());
        Traffic::start(per_second, 1, move |client, number| {
            let place = &places[number as usize % places.len()];
            shoot(client, "POST", &format!("{place}/{act}"), &[("authorization", &bearer)], None);
        })
    }

    /// Deletes them.
    pub fn delete(&self) -> Result<()> {
        for place in &self.places {
            wait_until("an environment can be deleted", LIMIT, || {
                Ok(matches!(send("DELETE", place, &self.auth(), None)?.status, 202 | 404))
            })?;
        }
        Ok(())
    }
}
