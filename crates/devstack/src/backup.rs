//! Backups of a stack of local processes, and their return. The work is done by the scripts of `backup/`, which containers run too; this
//! module knows where a stack has its data, and runs the scripts as the user of Postgres.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::paths;
use crate::ports::{MAX_REPLICAS, Port, Ports};
use crate::process::{Captured, Daemon, Process, User, capture, capture_ok, command, task};
use crate::stack::fixed_ports;
use crate::stores;

/// What the scripts need of the checkout.
const SOURCES: [&str; 3] = ["backup", "migrations", "Cargo.toml"];

/// A kind of backup of Postgres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The rows.
    Logical,
    /// The files of the server.
    Base,
}

impl Kind {
    /// Its name: an argument of the script, a folder, and a value of the label `kind`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logical => "logical",
            Self::Base => "base",
        }
    }
}

/// The moment at which a return from a base backup stops, just before it.
#[derive(Clone, Debug)]
pub enum Until {
    /// A position in the write-ahead log, such as `0/391D6A0`.
    Position(String),
    /// A time, as Postgres reads it.
    Time(String),
}

/// The backups of a stack.
pub struct Backups {
    /// The folder of the backups.
    pub folder: PathBuf,
    metrics: PathBuf,
    scripts: PathBuf,
    user: Option<User>,
    /// The variables of the scripts and of the programs that they call.
    variables: Vec<(&'static str, String)>,
}

/// The folder from which the node exporter of a stack reads the metrics of backups. The user of Postgres writes them.
pub fn metrics_folder(stack: &Path) -> Result<PathBuf> {
    owned(&stack.join("data/textfile"), stores::unprivileged_user()?)
}

/// A folder that belongs to the user of Postgres and that this user can enter.
fn owned(wanted: &Path, user: Option<User>) -> Result<PathBuf> {
    let folder = stores::lasting_folder(wanted)?;
    if let Some(user) = user {
        chown(&folder, Some(user.uid), Some(user.gid)).with_context(|| format!("failed to give away {}", folder.display()))?;
    }
    Ok(folder)
}

impl Backups {
    /// The backups of the stack in this folder. `password` is that of Postgres.
    pub fn of_stack(stack: &Path, ports: &Ports, password: &str) -> Result<Self> {
        let user = stores::unprivileged_user()?;
        let (folder, metrics) = (owned(&stack.join("backups"), user)?, metrics_folder(stack)?);
        let scripts = owned(&stack.join("backup-scripts"), user)?;
        // A copy: the user of Postgres may have no access to the checkout.
        for source in SOURCES {
            capture_ok(
                task("cp").args(["--recursive", "--no-target-directory"]).arg(paths::root().join(source)).arg(scripts.join(source)),
            )?;
        }
        let programs = stores::postgres_programs()?;
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let variables = vec![
            ("PATH", path),
            ("BACKUP_FOLDER", folder.display().to_string()),
            ("BACKUP_METRICS", metrics.display().to_string()),
            ("BACKUP_SOURCE", scripts.display().to_string()),
            ("BACKUP_WAL_CHECK", "1".to_owned()),
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", ports.of(Port::Postgres)?.to_string()),
            ("PGUSER", "vitrine".to_owned()),
            ("PGDATABASE", "vitrine".to_owned()),
            ("PGPASSWORD", password.to_owned()),
        ];
        Ok(Self { folder, metrics, scripts, user, variables })
    }

    /// The backups of the stack that `cargo xtask up` runs in this checkout.
    pub fn of_checkout() -> Result<Self> {
        let stack = paths::stack();
        let secret = stack.join("secrets/password");
        let password = fs::read_to_string(&secret)
            .with_context(|| format!("failed to read the password of Postgres in {}; `cargo xtask up` creates it", secret.display()))?;
        Self::of_stack(&stack, &fixed_ports(MAX_REPLICAS)?, &password)
    }

    /// A call of a script of `backup/`, for callers that change its variables or limits.
    #[must_use]
    pub fn script(&self, name: &str) -> Command {
        let mut bash = self.bash(self.user);
        bash.arg(self.path(name));
        bash
    }

    /// As [`Self::script`], in a shell that first runs `before`, such as a limit.
    #[must_use]
    pub fn script_after(&self, before: &str, name: &str) -> Command {
        let mut bash = self.bash(self.user);
        bash.args(["-c", &format!("{before} && exec bash \"$0\" \"$@\"")]).arg(self.path(name));
        bash
    }

    fn bash(&self, user: Option<User>) -> Command {
        let mut bash = command("bash", user, Signal::TERM);
        bash.envs(self.variables.iter().map(|(name, value)| (name, value)));
        bash
    }

    fn path(&self, script: &str) -> PathBuf {
        self.scripts.join("backup").join(script)
    }

    /// Makes a backup and returns its folder.
    pub fn make(&self, kind: Kind) -> Result<PathBuf> {
        let text = capture_ok(self.script("backup.sh").arg(kind.name()))?;
        text.lines().next_back().map(PathBuf::from).context("the script printed no folder")
    }

    /// Receives the write-ahead log until the returned process is dropped, or the connection ends.
    pub fn receive_log(&self, logs: &Path) -> Result<Process> {
        let script = self.path("wal.sh");
        let receiver = Daemon::stopped_by("backup-wal", Path::new("bash"), logs, self.user, Signal::TERM).args([script]);
        self.variables.iter().fold(receiver, |receiver, (name, value)| receiver.env(name, value)).start()
    }

    /// Restores a logical backup into the running Postgres.
    pub fn restore(&self, backup: &Path, replace: bool) -> Result<Captured> {
        capture(self.script("restore.sh").arg(backup).args(replace.then_some("--replace")))
    }

    /// Puts a base backup into the data folder of a Postgres that does not run; its next start replays the received log.
    pub fn restore_base(&self, backup: &Path, data: &Path, until: Option<&Until>) -> Result<Captured> {
        let limit = until.map(|until| match until {
            Until::Position(position) => ["--until-lsn", position],
            Until::Time(time) => ["--until-time", time],
        });
        capture(self.script("restore-base.sh").arg(backup).arg(data).args(limit.into_iter().flatten()))
    }

    /// Saves the folder of a stopped program and returns the folder of the backup.
    pub fn save_folder(&self, name: &str, folder: &Path) -> Result<PathBuf> {
        let text = capture_ok(self.as_owner("save").arg(format!("{name}={}", folder.display())))?;
        text.lines().next_back().map(PathBuf::from).context("the script printed no folder")
    }

    /// Returns a saved folder.
    pub fn return_folder(&self, backup: &Path, name: &str, folder: &Path) -> Result<()> {
        capture_ok(self.as_owner("return").arg(backup).arg(format!("{name}={}", folder.display()))).map(drop)
    }

    /// The script for folders, run as the user of this program, to whom the folders belong.
    fn as_owner(&self, verb: &str) -> Command {
        let mut bash = self.bash(None);
        bash.arg(self.path("folders.sh")).arg(verb);
        bash
    }

    /// The file of the metrics of a kind of backup.
    #[must_use]
    pub fn metrics_file(&self, kind: Kind) -> PathBuf {
        self.metrics.join(format!("backup_{}.prom", kind.name()))
    }
}
