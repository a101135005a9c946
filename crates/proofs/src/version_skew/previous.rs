//! Finds the earlier version and builds it. `target/proofs/version-skew/` holds its source, and keeps the binaries of each commit.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use devstack::cargo;
use devstack::paths;
use devstack::process::{capture_ok, run, task};

/// The programs that a stack starts from a build. A build must produce both.
const PROGRAMS: [&str; 2] = ["vitrine", "provider-sim"];

/// The version that the current one replaces.
pub struct Previous {
    commit: String,
    /// The version in words: a tag, or the commit before a migration.
    is: String,
}

/// A built version.
pub struct Build {
    /// The binary of the service. The simulator's binary is in the same folder.
    pub binary: PathBuf,
    /// Whether an earlier run built it.
    pub was_cached: bool,
}

impl Previous {
    /// The last tag before the current commit. Without a tag, the parent of the commit that added the newest migration. `None` without the
    /// necessary history, as in a shallow clone.
    pub fn find() -> Result<Option<Self>> {
        if let Ok(tag) = git(&["describe", "--tags", "--abbrev=0", "HEAD^"]) {
            return Ok(Some(Self { commit: git(&["rev-list", "-n", "1", &tag])?, is: format!("the tag {tag}") }));
        }
        let Ok(newest) = newest_migration() else { return Ok(None) };
        let added = git(&["log", "-1", "--diff-filter=A", "--format=%H", "--", &newest])?;
        ensure!(!added.is_empty(), "{newest} is not committed: commit it first");
        let commit = git(&["rev-parse", &format!("{added}^")]).ok();
        Ok(commit.map(|commit| Self { commit, is: format!("the commit before {newest}") }))
    }

    /// The commit, and the version in words.
    pub fn description(&self) -> String {
        format!("{}: {}", &self.commit[..12], self.is)
    }

    /// Builds the version, unless an earlier run has built it.
    pub fn build(&self) -> Result<Build> {
        let folder = paths::proofs().join("version-skew");
        let kept = folder.join(&self.commit);
        let binary = kept.join(PROGRAMS[0]);
        if PROGRAMS.iter().all(|program| kept.join(program).is_file()) {
            return Ok(Build { binary, was_cached: true });
        }
        let source = folder.join("source");
        self.unpack(&source)?;
        let target = folder.join("target");
        eprintln!("building {}", self.description());
        let mut build = cargo::command();
        build.args(["build", "--package", "vitrine", "--package", "provider-sim", "--bins"]);
        // Shares the build folder of the current version, so that a dependency of both versions is compiled once.
        build.current_dir(&source).env("CARGO_TARGET_DIR", &target).env("CARGO_BUILD_BUILD_DIR", paths::target());
        ensure!(run(&mut build)?, "failed to build {}", self.description());
        paths::ensure(&kept)?;
        for program in PROGRAMS {
            // Renamed into place, so that an aborted copy does not count as a binary.
            let draft = kept.join("draft");
            fs::copy(target.join("debug").join(program), &draft).with_context(|| format!("failed to copy {program}"))?;
            fs::rename(&draft, kept.join(program))?;
        }
        Ok(Build { binary, was_cached: false })
    }

    /// Writes the version's source, and adds the current browser bundle. The build needs a bundle, but any bundle will do, because the
    /// proof uses no pages.
    fn unpack(&self, source: &Path) -> Result<()> {
        if source.exists() {
            fs::remove_dir_all(source).with_context(|| format!("failed to remove {}", source.display()))?;
        }
        paths::ensure(source)?;
        let archive = source.with_extension("tar");
        capture_ok(git_command().args(["archive", "--output"]).arg(&archive).arg(&self.commit))?;
        capture_ok(task("tar").arg("--extract").arg("--file").arg(&archive).arg("--directory").arg(source))?;
        fs::remove_file(&archive)?;
        capture_ok(task("cp").arg("--recursive").arg(paths::root().join("web/dist")).arg(source.join("web/dist"))).map(drop)
    }
}

/// The path of the newest migration, relative to the root of the repository. Names begin with a time, so the greatest is the newest.
fn newest_migration() -> Result<String> {
    let listed = git(&["ls-files", "migrations"])?;
    let newest = listed.lines().max().context("there are no migrations")?;
    Ok(newest.to_owned())
}

fn git(args: &[&str]) -> Result<String> {
    Ok(capture_ok(git_command().args(args))?.trim().to_owned())
}

fn git_command() -> std::process::Command {
    let mut git = task("git");
    git.current_dir(paths::root());
    git
}
