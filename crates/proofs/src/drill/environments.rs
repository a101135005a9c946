//! Environments: driver calls that fail or are slow, and environments in the error state.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::http::send;
use devstack::process::wait_until;
use serde_json::json;

use super::Drill;
use super::test_stack::{TestStack, send_and_forget};
use super::traffic::Traffic;
use crate::users::create_project;

/// Time limit for an operation on an environment in a drill.
const LIMIT: Duration = Duration::from_mins(1);
/// The image of the drilled environments.
const IMAGE: &str = "busybox:1.37";

/// Every start operation of the driver fails.
pub const FAILING: Drill = Drill {
    alerts: &["HighDockerFailureRate", "HighEnvironmentErrorRate"],
    cause: "the driver fails every start: eight environments end in error, and the owner of six others retries again and again",
    mitigation: "the fault `driver` is ended, and the environments are deleted",
    inject: |test| {
        let (given_up, tried) = (Environments::make(test, 8)?, Environments::make(test, 6)?);
        let fault = test.known_fault(json!({ "fault": "driver", "operation": "start" }))?;
        given_up.all("start", 202)?;
        let starts = tried.each(2, "start");
        Ok(Box::new(move |test| {
            test.end_fault(&fault)?;
            drop(starts);
            given_up.delete()?;
            tried.delete()
        }))
    },
};

/// Every restart takes the driver 7 s longer than usual.
pub const SLOW: Drill = Drill {
    alerts: &["SlowDockerOperations"],
    cause: "every restart by the driver takes 7 s longer (its time limit is 10 s), and twenty environments are restarted in turn",
    mitigation: "the driver is repaired: the fault `driver` is ended",
    inject: |test| {
        let some = Environments::make(test, 20)?;
        some.all("start", 202)?;
        some.wait_for("running")?;
        let fault = test.known_fault(json!({ "fault": "driver", "operation": "restart", "delay_ms": 7000 }))?;
        let restarts = some.each(1, "restart");
        Ok(Box::new(move |test| {
            drop(restarts);
            test.end_fault(&fault)
        }))
    },
};

/// Environments of one owner in one project.
pub struct Environments {
    bearer: String,
    urls: Vec<String>,
}

impl Environments {
    /// Creates `count` environments and waits until each has the status `stopped`.
    pub fn make(test: &TestStack, count: usize) -> Result<Self> {
        let (edge, token) = (test.stack.edge()?, test.new_account()?);
        let project = create_project(&edge, &token, "Drilled")?;
        let mut some = Self { bearer: format!("Bearer {token}"), urls: Vec::new() };
        for number in 0..count {
            let new = json!({ "name": format!("drill-{number}"), "image": IMAGE });
            let created = send("POST", &format!("{edge}/api/projects/{project}/environments"), &some.auth(), Some(&new))?;
            ensure!(created.status == 201, "environment: {}", created.body);
            some.urls.push(format!("{edge}{}", created.header("location")));
        }
        some.wait_for("stopped")?;
        Ok(some)
    }

    fn auth(&self) -> [(&str, &str); 1] {
        [("authorization", &self.bearer)]
    }

    /// Requests an action on every environment.
    pub fn all(&self, act: &str, status: u16) -> Result<()> {
        for url in &self.urls {
            let answer = send("POST", &format!("{url}/{act}"), &self.auth(), None)?;
            ensure!(answer.status == status, "{act}: {} {}", answer.status, answer.body);
        }
        Ok(())
    }

    fn wait_for(&self, status: &str) -> Result<()> {
        for url in &self.urls {
            wait_until(&format!("an environment is {status}"), LIMIT, || {
                let now = send("GET", url, &self.auth(), None)?.json()?;
                Ok(now["status"].as_str().context("an environment has no status")? == status)
            })?;
        }
        Ok(())
    }

    /// Requests an action at a rate, rotating through the environments.
    fn each(&self, per_second: u32, act: &'static str) -> Traffic {
        let (bearer, urls) = (self.bearer.clone(), self.urls.clone());
        Traffic::start(per_second, 1, move |client, number| {
            let url = &urls[number as usize % urls.len()];
            send_and_forget(client, "POST", &format!("{url}/{act}"), &[("authorization", &bearer)], None);
        })
    }

    /// Deletes the environments.
    pub fn delete(&self) -> Result<()> {
        for url in &self.urls {
            wait_until("an environment can be deleted", LIMIT, || {
                Ok(matches!(send("DELETE", url, &self.auth(), None)?.status, 202 | 404))
            })?;
        }
        Ok(())
    }
}
