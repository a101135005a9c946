//! `cargo xtask restore`: returns the Postgres that `cargo xtask up` runs to a backup, by the scripts of `backup/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use devstack::backup::{Backups, Until};
use devstack::process::Captured;
use devstack::stack::Scope;
use devstack::{paths, stores};

/// Restore a backup of Postgres.
///
/// A logical backup is restored into the running stack: stop its replicas first. A base backup is restored while the stack is stopped; its
/// next start replays the received write-ahead log. Nothing replaces the present data before the backup has been checked.
#[derive(clap::Args)]
pub struct Args {
    /// The folder of the backup, or its dump.
    backup: PathBuf,
    /// Replace a database that is not empty; it keeps its rows under another name.
    #[arg(long)]
    replace: bool,
    /// Stop just before this time (of a base backup), such as `2026-11-30 22:23:49+00`.
    #[arg(long, conflicts_with = "until_lsn")]
    until_time: Option<String>,
    /// Stop just before this position in the write-ahead log (of a base backup).
    #[arg(long)]
    until_lsn: Option<String>,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let backup = args.backup.canonicalize().with_context(|| format!("there is no backup {}", args.backup.display()))?;
    let until = args.until_time.clone().map(Until::Time).or_else(|| args.until_lsn.clone().map(Until::Position));
    let backups = Backups::of_checkout()?;
    let Captured { success, text } = if backup.join("data").is_dir() {
        base(&backups, args.replace, &backup, until.as_ref())?
    } else {
        ensure!(until.is_none(), "only a base backup can return to a moment; {} is a logical one", backup.display());
        backups.restore(&backup, args.replace)?
    };
    print!("{text}");
    Ok(success)
}

fn base(backups: &Backups, replace: bool, backup: &Path, until: Option<&Until>) -> Result<Captured> {
    // While the slots are held, no stack can start on the data that is being restored.
    let held: Result<Vec<_>> = Scope::ALL.iter().map(|scope| scope.slot().hold()).collect();
    let _held = held.context("a base backup replaces the files of Postgres: stop the stack first")?;
    let data = stores::lasting_folder(&paths::stack().join("data/postgres"))?.join("data");
    if replace && data.exists() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let former = data.with_file_name(format!("data-before-{now}"));
        fs::rename(&data, &former).with_context(|| format!("failed to move {}", data.display()))?;
        eprintln!("the former data is in {}", former.display());
    }
    backups.restore_base(backup, &data, until)
}
