//! Generates load: runs k6 in the background with a script of `load/` and reads k6's summary. The script holds the journeys and the
//! thresholds. The module `proof` runs a profile as a proof, and the module `examples` runs the scripts in `load/examples/`. Drills use a
//! profile as background traffic.

pub mod disturbance;
pub mod examples;
mod gates;
mod idle;
mod knee;
pub mod profile;
mod progress;
pub mod proof;
mod summary;
pub mod target;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::http;
use devstack::paths;
use devstack::process::{Daemon, Process, pause};
use devstack::tools::K6;
use rustix::process::Signal;

pub use profile::Profile;
pub use summary::{Journeys, Summary};

/// More time than k6 needs to remove the data of the load.
const GRACE: Duration = Duration::from_secs(90);
/// Points of a graph in the page: more are indistinguishable, and each costs memory in k6.
const POINTS: u32 = 300;

/// The parameters of a run.
pub struct Plan<'a> {
    /// The edge that receives the load.
    pub edge: &'a str,
    /// The Prometheus that receives k6's own measurements.
    pub prometheus: Option<&'a str>,
    /// The script.
    pub profile: Profile,
    /// The time during which new journeys start. Running journeys then finish.
    pub duration: Duration,
    /// Requests per second, instead of the profile's own.
    pub rate: Option<u32>,
    /// The file of k6's summary; its log goes into the same folder.
    pub summary: &'a Path,
    /// The file of a page with graphs of the run.
    pub page: Option<&'a Path>,
}

/// A running load; dropping it stops it.
pub struct Load {
    k6: Process,
    summary: PathBuf,
}

impl Load {
    /// Starts k6.
    pub fn start(plan: &Plan) -> Result<Self> {
        let folder = plan.summary.parent().context("the summary has no folder")?;
        paths::ensure(folder)?;
        for file in [Some(plan.summary), plan.page].into_iter().flatten().filter(|file| file.exists()) {
            // Results of an earlier run must not pass for those of this run.
            fs::remove_file(file).with_context(|| format!("failed to remove {}", file.display()))?;
        }
        let mut k6 = Daemon::stopped_by("k6", &K6.path()?, folder, None, Signal::INT)
            .args(["run", "--quiet", "--no-color", "--no-usage-report"])
            // k6's own API, on a free port.
            .args(["--address", "127.0.0.1:0"])
            .args([format!("--env=EDGE={}", plan.edge), format!("--env=DURATION={}ms", plan.duration.as_millis())])
            .args(plan.rate.map(|rate| format!("--env=RATE={rate}")))
            .args([format!("--summary-export={}", plan.summary.display())]);
        if let Some(root) = http::trusted() {
            // k6 must trust the certificate authority of the stack's edge.
            k6 = k6.env("SSL_CERT_FILE", root);
        }
        if let Some(prometheus) = plan.prometheus {
            k6 = k6
                .args(["--out", "experimental-prometheus-rw"])
                .env("K6_PROMETHEUS_RW_SERVER_URL", format!("{prometheus}/api/v1/write"))
                .env("K6_PROMETHEUS_RW_TREND_STATS", "p(50),p(95),p(99)")
                .env("K6_PROMETHEUS_RW_STALE_MARKERS", "true")
                // The default, 5 s, is longer than the shortest windows of a sped-up Prometheus (4 s).
                .env("K6_PROMETHEUS_RW_PUSH_INTERVAL", "1s");
        }
        if let Some(page) = plan.page {
            k6 = k6
                .env("K6_WEB_DASHBOARD", "true")
                // k6 writes only the file, and starts no web server.
                .env("K6_WEB_DASHBOARD_PORT", "-1")
                .env("K6_WEB_DASHBOARD_PERIOD", format!("{}s", (plan.duration / POINTS).as_secs().max(1)))
                .env("K6_WEB_DASHBOARD_EXPORT", page);
        }
        Ok(Self { k6: k6.args([plan.profile.script()]).grace(GRACE).start()?, summary: plan.summary.to_owned() })
    }

    /// Waits for the end, calls `meanwhile` often until then, and returns the summary.
    pub fn finish(mut self, mut meanwhile: impl FnMut()) -> Result<Summary> {
        while self.is_running() {
            meanwhile();
            pause()?;
        }
        self.summary()
    }

    /// Stops the load now: journeys are aborted and their data is removed. Returns the summary.
    pub fn stop(mut self) -> Result<Summary> {
        if self.is_running() {
            self.k6.end(Signal::INT)?;
        }
        self.summary()
    }

    /// Whether the load is still running.
    pub fn is_running(&mut self) -> bool {
        self.k6.check().is_ok()
    }

    fn summary(&self) -> Result<Summary> {
        let text = fs::read_to_string(&self.summary).with_context(|| format!("k6 left no summary{}", self.k6.log_tail()))?;
        Summary::read(&serde_json::from_str(&text)?)
    }
}

/// Runs a profile without progress or a page. Fails if a threshold was not met, or if there are no thresholds.
pub fn all_thresholds(edge: &str, profile: Profile, folder: &Path) -> Result<Summary> {
    let summary = folder.join("load.json");
    let plan = Plan { edge, prometheus: None, profile, duration: profile.lasts(), rate: None, summary: &summary, page: None };
    let summary = Load::start(&plan)?.finish(|| {})?;
    let missed: Vec<&str> = summary.thresholds.iter().filter(|(_, met)| !**met).map(|(name, _)| name.as_str()).collect();
    let log = fs::read_to_string(folder.join("k6.log")).unwrap_or_default();
    ensure!(missed.is_empty() && !summary.thresholds.is_empty(), "thresholds not met: {}\n{log}", missed.join(", "));
    Ok(summary)
}
