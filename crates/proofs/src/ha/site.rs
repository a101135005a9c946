//! The processes of the proof: a service with its exporters, and the servers of `monitoring/ha/compose.yml` beside it. `files` has their
//! flags and configuration.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use devstack::http::is_ok;
use devstack::ports::{MAX_REPLICAS, Ports};
use devstack::process::{Daemon, Process, rest, wait_until};
use devstack::report::Outcome;
use devstack::speed::{Pace, written};
use devstack::stack::{Plan, Scope, Stack, all_up};
use devstack::tools::{ALERTMANAGER, PROMETHEUS, VICTORIA_METRICS};
use devstack::{cargo, configuration, paths};
use rustix::process::Signal;

use super::files::Files;
use crate::drill::traffic::Traffic;

/// Intervals and waits of the pair and of the Alertmanagers are divided by this number.
pub const SPEED: u32 = 10;
/// The other cluster is slower, because three Prometheus at full speed would need more than two cores.
pub const SPEED_OF_OTHER: u32 = 3;
/// How long the second Alertmanager waits for the first. Not divided by the speed: a process on a busy machine must not count as lost.
pub const PEER_TIMEOUT: Duration = Duration::from_secs(5);
/// The name of the other cluster.
pub const OTHER: &str = "other";
/// Time limit for a process to start, and for every target to be scraped.
pub const LIMIT: Duration = Duration::from_mins(1);
const REQUESTS_PER_SECOND: u32 = 5;

/// A server of the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The first replica of the pair.
    Prometheus,
    /// Its second replica.
    Prometheus2,
    /// The Prometheus of another cluster, which scrapes the same service.
    Other,
    /// A Prometheus that also records the aliases.
    WithAliases,
    /// The Prometheus above both clusters.
    Above,
    /// The first Alertmanager.
    Alertmanager,
    /// The second Alertmanager.
    Alertmanager2,
    /// The long-term store.
    Store,
}

impl Part {
    fn host(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus:9090",
            Self::Prometheus2 => "prometheus-2:9090",
            Self::Other => "prometheus.other.example:9090",
            Self::WithAliases => "prometheus-aliases:9090",
            Self::Above => "prometheus-above:9090",
            Self::Alertmanager => "alertmanager:9093",
            Self::Alertmanager2 => "alertmanager-2:9093",
            Self::Store => "victoria-metrics:8428",
        }
    }

    /// The service of compose.yml whose flags it has.
    fn service(self) -> &'static str {
        match self {
            Self::Prometheus | Self::Other | Self::WithAliases => "prometheus",
            Self::Prometheus2 => "prometheus-2",
            Self::Above => "prometheus-above",
            Self::Alertmanager => "alertmanager",
            Self::Alertmanager2 => "alertmanager-2",
            Self::Store => "victoria-metrics",
        }
    }

    /// The host for gossip of an Alertmanager.
    fn gossip(self) -> String {
        self.host().replace("9093", "9094")
    }

    fn speed(self) -> u32 {
        if matches!(self, Self::Other | Self::WithAliases) { SPEED_OF_OTHER } else { SPEED }
    }

    fn ready(self) -> &'static str {
        if self == Self::Store { "health" } else { "-/ready" }
    }
}

/// The running processes.
pub struct Site {
    // In the order of stopping.
    _traffic: Traffic,
    running: BTreeMap<Part, Process>,
    pub stack: Stack,
    files: Files,
    folder: PathBuf,
    /// The last start or end of a server.
    changed: Instant,
}

impl Site {
    /// Starts the service, its exporters, and a little traffic; the files go into `folder`.
    pub fn start(folder: &Path) -> Result<Self> {
        cargo::build(false, false)?;
        let plan = Plan {
            folder: folder.join("stack"),
            ports: Ports::any(MAX_REPLICAS)?,
            replicas: MAX_REPLICAS,
            binary: cargo::binary(false),
            engine: None,
            settings: Vec::new(),
        };
        let stack = Stack::start_only(plan, Scope::Observed)?;
        for speed in [SPEED, SPEED_OF_OTHER] {
            let root = root(folder, speed);
            paths::ensure(&root)?;
            configuration::write(&root, stack.ports(), MAX_REPLICAS, false)?;
            let aliases = root.join("prometheus/rules/aliases.yml");
            let text = fs::read_to_string(&aliases)?;
            configuration::speed_up(&root, speed)?;
            // The copy of a faster Prometheus lacks the aliases.
            fs::write(&aliases, pace(speed)?.rules(&text))?;
        }
        let edge = stack.edge()?;
        let traffic = Traffic::start(REQUESTS_PER_SECOND, 1, move |client, number| {
            let path = ["/", "/api/showcase", "/api/me"][number as usize % 3];
            let _whatever = client.send("GET", &format!("{edge}{path}"), &[], None);
        });
        Ok(Self {
            _traffic: traffic,
            running: BTreeMap::new(),
            stack,
            files: Files::read()?,
            folder: folder.to_owned(),
            changed: Instant::now(),
        })
    }

    /// The URL of a server.
    pub fn url(&self, part: Part) -> Result<String> {
        Ok(format!("http://{}", self.files.address(part.host())?))
    }

    /// Starts a server, and does not wait until it is ready.
    pub fn begin(&mut self, part: Part) -> Result<()> {
        let process = match part {
            Part::Prometheus | Part::Prometheus2 => self.prometheus(part, self.files.variable(part.service(), "REPLICA")?)?,
            Part::Other | Part::WithAliases => self.prometheus(part, "1")?,
            Part::Above => self.above()?,
            Part::Alertmanager | Part::Alertmanager2 => self.alertmanager(part)?,
            Part::Store => self.store()?,
        };
        self.changed = Instant::now();
        self.running.insert(part, process);
        Ok(())
    }

    /// As [`Self::begin`], and waits until the server is ready.
    pub fn launch(&mut self, part: Part) -> Result<()> {
        self.begin(part)?;
        self.await_ready(part)
    }

    /// Starts a replica of the pair that calls itself by the label of another.
    pub fn launch_as(&mut self, part: Part, replica: &str) -> Result<()> {
        let process = self.prometheus(part, replica)?;
        self.changed = Instant::now();
        self.running.insert(part, process);
        self.await_ready(part)
    }

    fn await_ready(&mut self, part: Part) -> Result<()> {
        let ready = format!("{}/{}", self.url(part)?, part.ready());
        self.process(part)?.wait_ready(LIMIT, || is_ok(&ready))
    }

    /// Starts these Prometheus and waits until each has scraped every target.
    pub fn start_scraping(&mut self, parts: &[Part]) -> Result<Outcome> {
        for part in parts {
            self.begin(*part)?;
        }
        for part in parts {
            self.await_ready(*part)?;
            let url = self.url(*part)?;
            let mut why = String::new();
            let all = wait_until("every target is scraped", LIMIT, || {
                let result = all_up(&url);
                why = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
                Ok(result.is_ok())
            });
            if let Err(error) = all {
                bail!("{part:?}: {error}: {why}");
            }
        }
        Ok(Outcome::passed())
    }

    /// Kills a server.
    pub fn kill(&mut self, part: Part) -> Result<()> {
        self.end(part, Signal::KILL)
    }

    /// Ends a server with a signal.
    pub fn end(&mut self, part: Part, signal: Signal) -> Result<()> {
        self.process(part)?.end(signal)?;
        self.changed = Instant::now();
        self.running.remove(&part);
        Ok(())
    }

    /// Waits until no server has started or ended for this time.
    pub fn settle(&self, time: Duration) -> Result<()> {
        rest(time.saturating_sub(self.changed.elapsed()))
    }

    /// Whether a server runs.
    pub fn runs(&self, part: Part) -> bool {
        self.running.contains_key(&part)
    }

    fn process(&mut self, part: Part) -> Result<&mut Process> {
        self.running.get_mut(&part).with_context(|| format!("{part:?} does not run"))
    }

    /// A folder for the data of a server, which a new process of the same part finds again.
    fn data(&self, part: Part) -> Result<String> {
        let folder = self.folder.join("data").join(format!("{part:?}"));
        paths::ensure(&folder)?;
        Ok(folder.display().to_string())
    }

    fn daemon(&self, part: Part, program: &Path) -> Daemon {
        Daemon::new(format!("{part:?}").to_lowercase(), program, &self.folder)
    }

    fn prometheus(&self, part: Part, replica: &str) -> Result<Process> {
        let (speed, root) = (part.speed(), root(&self.folder, part.speed()));
        let mut text = self.files.text("prometheus.yml")?;
        if part == Part::WithAliases {
            text = text.replace("# - /etc/prometheus/rules/aliases.yml", "- /etc/prometheus/rules/aliases.yml");
        }
        let text = configuration::prometheus(&text, &root, self.stack.ports(), MAX_REPLICAS, false);
        let config = self.folder.join(format!("{part:?}.yml"));
        fs::write(&config, pace(speed)?.prometheus(&text))?;
        let cluster = match part {
            Part::Other => OTHER,
            Part::WithAliases => "aliases",
            _ => self.files.variable(part.service(), "CLUSTER")?,
        };
        let flags = self.files.flags(
            part.service(),
            &[
                ("--config.file", config.display().to_string()),
                ("--storage.tsdb.path", self.data(part)?),
                ("--web.external-url", self.url(part)?),
                ("--web.listen-address", self.files.address(part.host())?.to_owned()),
                // Debian's Prometheus expands variables only on request.
                ("--enable-feature", "extra-scrape-metrics,expand-external-labels".to_owned()),
                ("--rules.alert.resend-delay", format!("{}ms", 60_000 / speed)),
                ("--query.lookback-delta", format!("{}ms", 300_000 / speed)),
            ],
        )?;
        let mut daemon = self
            .daemon(part, Path::new("nice"))
            .args(["-n", "10"])
            .args([PROMETHEUS.path()?])
            .args(flags)
            .env("CLUSTER", cluster)
            .env("ENVIRONMENT", self.files.variable(part.service(), "ENVIRONMENT")?)
            .env("REPLICA", replica)
            .env("GOGC", "400");
        for (name, page) in self.stack.ports().pages()? {
            daemon = daemon.env(name, page);
        }
        daemon.start()
    }

    fn above(&self) -> Result<Process> {
        let folder = self.folder.join("above");
        paths::ensure(&folder)?;
        let pace = Pace::of(&self.files.text("above.yml")?, SPEED);
        fs::write(folder.join("above.yml"), pace.prometheus(&self.files.text("above.yml")?))?;
        fs::write(folder.join("above.rules.yml"), pace.rules(&self.files.text("above.rules.yml")?))?;
        let flags = self.files.flags(
            Part::Above.service(),
            &[
                ("--config.file", folder.join("above.yml").display().to_string()),
                ("--storage.tsdb.path", self.data(Part::Above)?),
                ("--web.listen-address", self.files.address(Part::Above.host())?.to_owned()),
                ("--query.lookback-delta", format!("{}ms", 300_000 / SPEED)),
            ],
        )?;
        self.daemon(Part::Above, &PROMETHEUS.path()?).args(flags).start()
    }

    fn alertmanager(&self, part: Part) -> Result<Process> {
        let config = root(&self.folder, SPEED).join("alertmanager/alertmanager.yml");
        let flags = self.files.flags(
            part.service(),
            &[
                ("--config.file", config.display().to_string()),
                ("--storage.path", self.data(part)?),
                ("--web.external-url", self.url(part)?),
                ("--web.listen-address", self.files.address(part.host())?.to_owned()),
                ("--cluster.listen-address", self.files.address(&part.gossip())?.to_owned()),
                ("--cluster.peer-timeout", written(PEER_TIMEOUT)),
            ],
        )?;
        self.daemon(part, &ALERTMANAGER.path()?).args(flags).start()
    }

    fn store(&self) -> Result<Process> {
        let flags = self.files.flags(
            Part::Store.service(),
            &[
                ("-httpListenAddr", self.files.address(Part::Store.host())?.to_owned()),
                ("-storageDataPath", self.data(Part::Store)?),
                ("-dedup.minScrapeInterval", format!("{}ms", 15_000 / SPEED)),
                ("-search.maxStalenessInterval", format!("{}ms", 300_000 / SPEED_OF_OTHER)),
                // The store hides samples that are younger than this.
                ("-search.latencyOffset", "1s".to_owned()),
            ],
        )?;
        self.daemon(Part::Store, &VICTORIA_METRICS.path()?).args(flags).start()
    }
}

fn root(folder: &Path, speed: u32) -> PathBuf {
    folder.join(format!("speed-{speed}"))
}

/// The pace of a Prometheus of the proof at this speed.
pub fn pace(speed: u32) -> Result<Pace> {
    Ok(Pace::of(&rule_tools::dashboards::prometheus()?, speed))
}
