//! Demo projects in the showcase, and gentle traffic. `up` adds both to a stack, so that a developer sees something at once. A stack that a
//! proof starts has neither.

use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

use super::Stack;
use super::table::row;
use crate::form::Form;
use crate::paths;
use crate::settings::Settings;
use crate::tools::{K6, Tool};

/// The switch for demo projects.
const DATA: &str = "DEMO_DATA";
/// The switch for demo traffic.
const TRAFFIC: &str = "DEMO_TRAFFIC";
/// Duration and pace of a run of the traffic, as in docker-compose.yml. After a run, the next one starts.
const RUN: [&str; 2] = ["--env=DURATION=24h", "--env=SLOWDOWN=4"];
/// Time for k6 to remove the data of its run.
const GRACE: Duration = Duration::from_secs(30);

/// The parts of the demo that the settings ask for.
pub struct Demo {
    data: bool,
    traffic: bool,
}

impl Demo {
    /// Reads the switches. A stack in the production form gets nothing.
    pub fn of(settings: &Settings, form: Form) -> Result<Self> {
        let is_demo = form == Form::Demo;
        Ok(Self { data: settings.is_on(DATA)? && is_demo, traffic: settings.is_on(TRAFFIC)? && is_demo })
    }

    /// The same parts without the traffic.
    #[must_use]
    pub fn without_traffic(self) -> Self {
        Self { traffic: false, ..self }
    }

    /// The tools that the demo uses. A stack also starts without them.
    #[must_use]
    pub fn programs(&self) -> &'static [&'static Tool] {
        if self.traffic { &[&K6] } else { &[] }
    }

    /// The variables that tell replicas about the demo.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let is_running = self.traffic && K6.find().is_some();
        vec![(TRAFFIC.to_owned(), is_running.to_string())]
    }

    /// Adds the parts to a running stack that has the service. Returns their lines for the stack's table.
    pub fn add_to(&self, stack: &mut Stack) -> Result<String> {
        let data = if self.data {
            stack.add_data()?;
            "in the showcase; DEMO_DATA=off leaves them out"
        } else {
            "none"
        };
        let traffic = if !self.traffic {
            "none"
        } else if K6.find().is_none() {
            "none, because k6 is not installed; `cargo xtask up --install` installs it"
        } else {
            stack.add_traffic()?;
            "about one request per second; DEMO_TRAFFIC=off leaves it out"
        };
        Ok(row("Demo projects", data) + &row("Demo traffic", traffic))
    }
}

impl Stack {
    fn add_data(&self) -> Result<()> {
        let driver = if self.plan.engine.is_some() { "docker" } else { "sim" };
        // Arguments take precedence over the variables of the shell, which may be those of compose.
        self.administer(&["seed", "--environment=development", "--demo-data=on", "--environment-driver", driver]).map(drop)
    }

    /// The traffic is the last phase: it stops first, while the service can still remove its data.
    fn add_traffic(&mut self) -> Result<()> {
        let traffic = self
            .daemon_stopped_by("demo-traffic", &K6.path()?, Signal::INT)
            // The summary and the thresholds would keep every measurement in memory.
            .args(["run", "--quiet", "--no-color", "--no-usage-report", "--no-summary", "--no-thresholds"])
            // k6's own API, on a free port.
            .args(["--address", "127.0.0.1:0"])
            .args([format!("--env=EDGE={}", self.edge()?)])
            .args(RUN)
            .args([paths::root().join("load/demo.js")])
            .grace(GRACE)
            .start()?;
        self.phases.push(vec![traffic]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn compose_runs_the_traffic_for_as_long_and_at_the_same_pace() {
        let compose = fs::read_to_string(paths::root().join("docker-compose.yml")).unwrap();
        let (_, service) = compose.split_once("\n  demo-traffic:\n").unwrap();
        for argument in RUN {
            let line = argument.trim_start_matches("--env=").replace('=', ": ");
            assert!(service.contains(&format!("\n      {line}\n")), "demo-traffic must have {line}");
        }
    }

    #[test]
    fn a_stack_in_the_production_form_gets_no_demo() {
        let settings = Settings::read(&paths::root().join("no such file")).unwrap();
        let parts = |form| Demo::of(&settings, form).map(|demo| (demo.data, demo.traffic)).unwrap();
        assert_eq!(parts(Form::Production), (false, false));
        assert!(Demo::of(&settings, Form::Production).unwrap().programs().is_empty());
    }
}
