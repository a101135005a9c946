//! One tool: where it is found, whether it is new enough, and the command that installs it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::paths;
use crate::process::{capture, task};

/// A program, or a library that a program loads.
pub struct Tool {
    /// The name of the executable or of the library.
    pub name: &'static str,
    /// Folders to search after PATH and `.tools/`. A `*` stands for one folder name, `~` for the home folder; a relative folder is in
    /// `.tools/`.
    pub(super) folders: &'static [&'static str],
    /// The argument that prints the program's version, and the oldest acceptable version.
    pub(super) at_least: Option<(&'static str, Version)>,
    pub(super) source: Source,
}

/// A version's first two numbers.
pub(crate) type Version = (u32, u32);

/// The provider of a tool.
pub(super) enum Source {
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

/// The state of a tool on this machine.
pub enum State {
    /// Installed and new enough; with its version, if it has one.
    Found(PathBuf, Option<String>),
    /// Every installed version is too old: the first path, its version and the oldest acceptable version.
    Old(PathBuf, String, String),
    /// Not installed.
    Missing,
}

/// A program in a Debian package.
pub(super) const fn debian(name: &'static str, package: &'static str) -> Tool {
    Tool { name, folders: &["/usr/sbin"], at_least: None, source: Source::Debian(package) }
}

impl Tool {
    /// The tool's path. The error names the command that installs the tool.
    pub fn path(&self) -> Result<PathBuf> {
        self.find().with_context(|| format!("{} is missing: {}", self.name, self.install_line()))
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

    /// The state of the tool, for people. [`Tool::find`] is faster, because it asks fewer programs for their version.
    #[must_use]
    pub fn state(&self) -> State {
        if let Some(path) = self.find() {
            let version = self.version(&path);
            return State::Found(path, version);
        }
        let old = self.candidates().into_iter().find(|path| is_executable(path));
        match (old, self.at_least) {
            (Some(path), Some((_, (major, minor)))) => {
                let version = self.version(&path).unwrap_or_default();
                State::Old(path, version, format!("{major}.{minor}"))
            }
            _ => State::Missing,
        }
    }

    /// The version of the tool at a path, such as `2.11.7`.
    fn version(&self, path: &Path) -> Option<String> {
        if let Source::Library(_) = self.source {
            let description: serde_json::Value = serde_json::from_slice(&fs::read(path.join("package.json")).ok()?).ok()?;
            return description["version"].as_str().map(str::to_owned);
        }
        let argument = self.at_least.map_or("--version", |(argument, _)| argument);
        numbers_in(&capture(task(path).arg(argument)).ok()?.text).map(str::to_owned)
    }

    /// The command that installs the tool by hand.
    #[must_use]
    pub fn install_line(&self) -> String {
        install_lines(&[self]).concat()
    }

    /// The path to pass to other programs: the path of a program, or the folder `node_modules` that holds a library.
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
        capture(task(path).arg(argument)).is_ok_and(|output| version_in(&output.text).is_some_and(|version| version >= least))
    }
}

/// The commands that install the tools; Debian packages share one command.
pub(super) fn install_lines(tools: &[&Tool]) -> Vec<String> {
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
    let pattern = paths::tools().join(pattern.replace('~', &home)).display().to_string();
    let Some((parent, rest)) = pattern.split_once("/*/") else {
        return vec![pattern.into()];
    };
    let mut found: Vec<PathBuf> = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort_by_key(|path| path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<u32>().ok()));
    found.iter().rev().map(|path| path.join(rest)).collect()
}

/// The first numbers with dots in a text, such as `2.11.7`.
pub(crate) fn numbers_in(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| !(c.is_ascii_digit() || c == '.')).map(|word| word.trim_matches('.'));
    words.find(|word| word.contains('.'))
}

/// The first `major.minor` in a text.
pub(crate) fn version_in(text: &str) -> Option<Version> {
    let mut numbers = numbers_in(text)?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_output_of_programs() {
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
}
