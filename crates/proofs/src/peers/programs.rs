//! Provides the programs that a comparison measures: the axum peers (always built), Vitrine (built, or a given program), and
//! Fastify (a script that Node.js runs).

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use devstack::cargo;
use devstack::node::Project;
use devstack::paths;
use devstack::process::{capture, capture_ok, run, task};
use devstack::tools::{NODE_20, is_executable};
use devstack::web;

use super::target::Name;

const FASTIFY: Project = Project { folder: "benches/peers/fastify", verb: "peers", made: &["node_modules"] };
const PLAIN_AXUM: &str = "benches/peers/plain-axum";

/// Cargo's target folder for builds that only the comparison needs.
fn build_folder() -> PathBuf {
    paths::target().join("peers")
}

/// The program of a peer and its arguments.
pub fn peer(name: Name, install: bool) -> Result<(PathBuf, Vec<OsString>)> {
    match name {
        Name::Fastify => {
            FASTIFY.packages(install)?;
            Ok((NODE_20.path()?, vec![FASTIFY.home().join("src/server.js").into()]))
        }
        Name::PlainAxum | Name::BareAxum => {
            eprintln!("building {PLAIN_AXUM}");
            let mut build = cargo::command();
            build.args(["build", "--release", "--locked", "--quiet"]).current_dir(paths::root().join(PLAIN_AXUM));
            ensure!(run(build.env("CARGO_TARGET_DIR", build_folder()))?, "failed to build {PLAIN_AXUM}");
            Ok((build_folder().join("release").join(name.as_str()), Vec::new()))
        }
        Name::Vitrine | Name::Baseline | Name::Traced | Name::Logged => bail!("{name} is not a peer"),
    }
}

/// The optimised binary of this checkout, or the given binary.
pub fn vitrine(given: Option<&Path>, install: bool) -> Result<PathBuf> {
    if let Some(program) = given {
        ensure!(is_executable(program), "{} is not a program", program.display());
        return absolute(program);
    }
    web::bundle(install)?;
    eprintln!("building vitrine");
    ensure!(run(cargo::command().args(["build", "--release", "--package", "vitrine", "--bin", "vitrine"]))?, "failed to build vitrine");
    Ok(paths::target().join("release/vitrine"))
}

/// The binary of the baseline: the given program, or a build of the given revision. A later run uses the same build.
pub fn baseline(wanted: &str, install: bool) -> Result<PathBuf> {
    if is_executable(Path::new(wanted)) {
        return absolute(Path::new(wanted));
    }
    let revision = format!("{wanted}^{{commit}}");
    let found = capture(git().args(["rev-parse", "--verify", "--quiet", "--end-of-options", &revision]))?;
    ensure!(found.success, "--baseline {wanted} is neither a program nor a revision");
    let commit = found.text.trim();
    let folder = build_folder().join("revisions").join(commit);
    let program = folder.join("vitrine");
    if !is_executable(&program) {
        let source = folder.join("source");
        export(commit, &source)?;
        // Pages are not measured, so the revision embeds this checkout's bundle and needs no npm packages of its own.
        web::bundle(install)?;
        capture_ok(task("cp").arg("--recursive").arg(paths::root().join("web/dist")).arg(source.join("web")))?;
        eprintln!("building vitrine at {commit}");
        let mut build = cargo::command();
        build.args(["build", "--release", "--locked", "--package", "vitrine", "--bin", "vitrine"]).current_dir(&source);
        let target = build_folder().join("revisions/target");
        ensure!(run(build.env("CARGO_TARGET_DIR", &target))?, "failed to build vitrine at {wanted}");
        fs::copy(target.join("release/vitrine"), &program).context("failed to copy the program of the revision")?;
        fs::remove_dir_all(&source).context("failed to remove the source of the revision")?;
    }
    Ok(program)
}

/// Writes the files of a commit into a folder.
fn export(commit: &str, folder: &Path) -> Result<()> {
    paths::ensure(folder)?;
    let archive = folder.with_extension("tar");
    File::create(&archive).with_context(|| format!("failed to write {}", archive.display()))?;
    capture_ok(git().args(["archive", "--format=tar", "--output"]).arg(&archive).arg(commit))?;
    capture_ok(task("tar").arg("--extract").arg("--file").arg(&archive).arg("--directory").arg(folder))?;
    fs::remove_file(&archive).context("failed to remove the archive of the revision")
}

fn git() -> std::process::Command {
    let mut git = task("git");
    git.current_dir(paths::root());
    git
}

fn absolute(program: &Path) -> Result<PathBuf> {
    program.canonicalize().with_context(|| format!("failed to find {}", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_program_or_baseline_is_named_in_the_error() {
        let error = baseline("no-such-thing", false).unwrap_err().to_string();
        assert_eq!(error, "--baseline no-such-thing is neither a program nor a revision");
        let error = vitrine(Some(Path::new("Cargo.toml")), false).unwrap_err().to_string();
        assert_eq!(error, "Cargo.toml is not a program");
    }
}
