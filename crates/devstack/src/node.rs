//! Node.js projects of this checkout: their locations, their packages, and whether their output is older than their sources. `web`,
//! the dashboards and the Fastify peer use this module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};

use crate::paths;
use crate::process::{capture_ok, run, task};
use crate::tools::{NODE, NPM, require};

/// A folder with a `package.json`.
pub struct Project {
    /// Relative to the root of the checkout.
    pub folder: &'static str,
    /// The verb that builds it, for messages.
    pub verb: &'static str,
    /// The generated files and folders in it.
    pub made: &'static [&'static str],
}

impl Project {
    /// Its absolute path.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        paths::root().join(self.folder)
    }

    /// A Node.js command in its folder.
    pub fn node(&self) -> Result<Command> {
        Ok(self.inside(&NODE.path()?))
    }

    /// A command for one of its npm scripts.
    pub fn script(&self, name: &str) -> Result<Command> {
        let mut npm = self.inside(&NPM.path()?);
        npm.args(["run", "--silent", name]);
        Ok(npm)
    }

    fn inside(&self, program: &Path) -> Command {
        let mut command = task(program);
        command.current_dir(self.home());
        command
    }

    /// Type-checks its sources; returns whether they are correct.
    pub fn check(&self, install: bool) -> Result<bool> {
        self.packages(install)?;
        run(&mut self.script("check")?)
    }

    /// Ensures that the packages of the lock file are installed. Only this step needs the network; without `install` it downloads nothing.
    pub fn packages(&self, install: bool) -> Result<()> {
        require(&[&NODE, &NPM], install)?;
        if self.has_packages() {
            return Ok(());
        }
        ensure!(install, "the packages of {}/ are missing or old; install them with `cargo xtask {} --install`", self.folder, self.verb);
        eprintln!("installing the packages of {}/", self.folder);
        capture_ok(self.inside(&NPM.path()?).args(["ci", "--no-fund", "--no-audit", "--loglevel=error"]))?;
        Ok(())
    }

    /// Whether the packages of the lock file are installed.
    pub(crate) fn has_packages(&self) -> bool {
        let home = self.home();
        // npm writes this file last.
        let installed = modified(&home.join("node_modules/.package-lock.json"));
        installed >= modified(&home.join("package-lock.json"))
    }

    /// Whether a generated file is newer than all of the project's sources.
    pub(crate) fn is_made(&self, file: &str) -> Result<bool> {
        let home = self.home();
        let sources = self.sources(&home)?;
        Ok(modified(&home.join(file)).is_some_and(|made| sources < made))
    }

    /// The newest modification time of the files and folders in the project, without the generated ones. The time of the project's own
    /// folder does not count, because creating a generated file changes it.
    fn sources(&self, home: &Path) -> Result<SystemTime> {
        let entries = fs::read_dir(home).with_context(|| format!("failed to read {}", home.display()))?;
        let mut newest = SystemTime::UNIX_EPOCH;
        for entry in entries {
            let entry = entry?;
            if !self.made.iter().any(|name| entry.file_name() == *name) {
                newest = newest.max(newest_in(&entry.path())?);
            }
        }
        Ok(newest)
    }
}

/// The newest modification time of a path and of everything below it. Folders count, because removing a file changes its folder's time.
fn newest_in(path: &Path) -> Result<SystemTime> {
    let mut newest = modified(path).with_context(|| format!("failed to read {}", path.display()))?;
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

    fn write(path: &Path, seconds: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::create(path).unwrap().set_modified(time).unwrap();
        fs::File::open(path.parent().unwrap()).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn generated_files_are_not_sources() {
        let project = Project { folder: "web", verb: "web", made: &["node_modules", "dist"] };
        let home = tempfile::tempdir().unwrap();
        write(&home.path().join("node_modules/left/index.js"), 400);
        write(&home.path().join("dist/manifest.json"), 300);
        write(&home.path().join("src/live/socket.ts"), 200);
        fs::File::open(home.path().join("src")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        write(&home.path().join("build.mjs"), 100);
        let newest = project.sources(home.path()).unwrap();
        assert_eq!(newest, SystemTime::UNIX_EPOCH + Duration::from_secs(200));
    }
}
