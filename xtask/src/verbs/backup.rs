//! `cargo xtask backup`: backups of the Postgres that `cargo xtask up` runs, made by the scripts of `backup/`.

use anyhow::Result;
use devstack::backup::{Backups, Kind};
use devstack::process::{interrupted, pause};
use devstack::stores;
use devstack::{paths, tools};

/// What to back up.
#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// The rows.
    Logical,
    /// The files of the server, for a return to any moment.
    Base,
    /// The write-ahead log as it is written, until Ctrl-C.
    Wal,
}

/// Back up the Postgres of the running stack.
///
/// Prints the folder of the backup. Containers make the same backups on a schedule: docs/DISASTER-RECOVERY.md.
#[derive(clap::Args)]
pub struct Args {
    /// Kind of backup.
    #[arg(value_enum, default_value_t = What::Logical)]
    what: What,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    tools::require(&[&tools::INITDB], false)?;
    let backups = Backups::of_checkout()?;
    let kind = match args.what {
        What::Logical => Kind::Logical,
        What::Base => Kind::Base,
        What::Wal => return receive(&backups),
    };
    println!("{}", backups.make(kind)?.display());
    Ok(true)
}

fn receive(backups: &Backups) -> Result<bool> {
    let logs = stores::lasting_folder(&paths::stack().join("logs"))?;
    let mut receiver = backups.receive_log(&logs)?;
    eprintln!("receiving the write-ahead log into {}; Ctrl-C stops it", backups.folder.join("wal").display());
    while !interrupted() {
        receiver.check()?;
        // `pause` fails on an interrupt, which also ends the loop.
        let _ = pause();
    }
    Ok(true)
}
