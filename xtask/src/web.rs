//! What browsers load: `web/dist`, made from `web/` by Node.js. The application embeds it, so every verb that compiles the
//! application has it made first. What is in it is said in `web/build.mjs`; the Dockerfile runs the same two commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};

use crate::paths;
use crate::process::{capture_ok, run, task};
use crate::tools::{NODE, NPM, require};

/// In `web/`, what is made from the rest.
const MADE: [&str; 2] = ["node_modules", "dist"];

/// Makes the bundle, unless it is newer than all that it is made from. The packages that it is made with come with `install` alone.
pub fn bundle(install: bool) -> Result<()> {
    let sources = sources(&folder())?;
    if modified(&folder().join("dist/manifest.json")).is_some_and(|made| sources < made) {
        return Ok(());
    }
    packages(install)?;
    eprintln!("making web/dist");
    ensure!(run(in_web(&NODE.path()?).arg("build.mjs"))?, "web/dist could not be made");
    Ok(())
}

/// Checks the types of the sources; answers whether they are right.
pub fn check(install: bool) -> Result<bool> {
    packages(install)?;
    run(in_web(&NPM.path()?).args(["run", "--silent", "check"]))
}

fn folder() -> PathBuf {
    paths::root().join("web")
}

fn in_web(program: &Path) -> Command {
    let mut command = task(program);
    command.current_dir(folder());
    command
}

/// Has the packages of the lock file there. This is the only step that needs the network.
fn packages(install: bool) -> Result<()> {
    require(&[&NODE, &NPM], install)?;
    // npm writes it last.
    let installed = modified(&folder().join("node_modules/.package-lock.json"));
    if installed >= modified(&folder().join("package-lock.json")) {
        return Ok(());
    }
    ensure!(install, "the packages of web/ are missing or old: cargo xtask web --install");
    eprintln!("installing the packages of web/");
    capture_ok(in_web(&NPM.path()?).args(["ci", "--no-fund", "--no-audit", "--loglevel=error"]))?;
    Ok(())
}

/// When something in `web/` was changed last, other than what is made from it.
fn sources(web: &Path) -> Result<SystemTime> {
    let entries = fs::read_dir(web).with_context(|| format!("cannot read {}", web.display()))?;
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in entries {
        let entry = entry?;
        if !MADE.iter().any(|name| entry.file_name() == *name) {
            newest = newest.max(newest_in(&entry.path())?);
        }
    }
    Ok(newest)
}

/// The newest time below a path; a folder's own tells when something in it was removed.
fn newest_in(path: &Path) -> Result<SystemTime> {
    let mut newest = modified(path).with_context(|| format!("cannot read {}", path.display()))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            newest = newest.max(newest_in(&entry?.path())?);
        }
    }
    Ok(newest)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn write(path: &Path, age: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(age);
        fs::File::create(path).unwrap().set_modified(time).unwrap();
        fs::File::open(path.parent().unwrap()).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn what_is_made_is_no_source() {
        let web = tempfile::tempdir().unwrap();
        write(&web.path().join("node_modules/left/index.js"), 400);
        write(&web.path().join("dist/manifest.json"), 300);
        write(&web.path().join("src/live/socket.ts"), 200);
        fs::File::open(web.path().join("src")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        write(&web.path().join("build.mjs"), 100);
        let newest = sources(web.path()).unwrap();
        assert_eq!(newest, SystemTime::UNIX_EPOCH + Duration::from_secs(200));
    }
}
