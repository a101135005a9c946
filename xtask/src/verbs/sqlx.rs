//! `cargo xtask sqlx`: regenerates `.sqlx`, the query data with which the code compiles without a database.
//! Run it after changing a query or a migration; `ci` checks that `.sqlx` is up to date.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use devstack::cargo;
use devstack::process::{capture_ok, run as run_task, task};
use devstack::tools::{INITDB, REDIS, require};
use devstack::{paths, stores, web};

/// Regenerate `.sqlx` from the migrations and queries.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&INITDB, &REDIS], args.install)?;
    web::bundle(args.install)?;
    let fresh = generate()?;
    let committed = committed()?;
    let folder = committed_folder();
    paths::ensure(&folder)?;
    for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    for (name, text) in &fresh {
        fs::write(folder.join(name), text)?;
    }
    let changes = difference(&committed, &fresh);
    println!("{} queries, {} files changed", fresh.len(), changes.len());
    Ok(true)
}

/// The names of the files that are missing from `.sqlx`, that no query needs any more, or whose contents are out of date.
pub fn stale() -> Result<Vec<String>> {
    Ok(difference(&committed()?, &generate()?))
}

type Files = BTreeMap<String, String>;

fn committed_folder() -> PathBuf {
    paths::root().join(".sqlx")
}

fn committed() -> Result<Files> {
    let folder = committed_folder();
    if folder.is_dir() { read(&folder) } else { Ok(Files::new()) }
}

/// Compiles the library against a database with the schema of the migrations, and returns the query data that sqlx writes.
fn generate() -> Result<Files> {
    let folder = paths::temporary("sqlx")?;
    let (postgres, _redis) = stores::disposable(folder.path())?;
    migrate(&postgres.url)?;
    let queries = folder.path().join("queries");
    paths::ensure(&queries)?;
    // sqlx's macros run only when the library is compiled. The cfg value differs from that of every earlier compilation, so cargo compiles
    // the library again, but no dependency.
    let moment = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    ensure!(
        run_task(
            cargo::checking()
                .args(["rustc", "--quiet", "--package", "vitrine", "--lib"])
                .args(["--profile", "check", "--", "--cfg"])
                .arg(format!("queries_of=\"{moment}\""))
                .env("DATABASE_URL", &postgres.url)
                .env("SQLX_OFFLINE", "false")
                .env("SQLX_OFFLINE_DIR", &queries),
        )?,
        "the library does not compile against the migrated database"
    );
    read(&queries)
}

fn migrate(url: &str) -> Result<()> {
    let folder = paths::root().join("migrations");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("failed to read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|kind| kind == "sql"));
    // File names begin with a timestamp, so this is the order of the migrations.
    files.sort();
    let psql = stores::postgres_programs()?.join("psql");
    for file in files {
        capture_ok(task(&psql).args(["-Xq", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f"]).arg(&file).arg(url))?;
    }
    Ok(())
}

fn read(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, fs::read_to_string(entry.path())?);
    }
    Ok(files)
}

fn difference(committed: &Files, fresh: &Files) -> Vec<String> {
    committed
        .keys()
        .chain(fresh.keys())
        .filter(|name| committed.get(*name) != fresh.get(*name))
        .cloned()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_stale_and_changed_files_are_named_once() {
        let files =
            |pairs: &[(&str, &str)]| -> Files { pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect() };
        let committed = files(&[("same", "1"), ("changed", "1"), ("stale", "1")]);
        let fresh = files(&[("same", "1"), ("changed", "2"), ("missing", "1")]);
        assert_eq!(difference(&committed, &fresh), ["changed", "missing", "stale"]);
        assert!(difference(&fresh, &fresh).is_empty());
    }
}
