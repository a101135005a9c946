//! Grafana's dashboards: JSON files below `monitoring/grafana/dashboards`, one folder for each of Grafana's folders. Node.js generates them
//! from `monitoring/grafana/src`. They are committed, because Grafana reads them. This module generates, compares and reads them.
//!
//! `tests/contract/` checks the contents of dashboards, and `cargo xtask panels` proves that each panel reacts to its cause.
//! `dashboards/model` has the fields that we read, and `dashboards/variables` replaces the variables in queries.

mod model;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use devstack::node::Project;
use devstack::paths;
use devstack::process::run;
use devstack::report::Outcome;
use devstack::speed::Pace;
use devstack::tools::PROMTOOL;
use serde::de::DeserializeOwned;

use crate::checks::{check, tool};

pub use model::{Annotation, Dashboard, Panel, Target};
pub use variables::Variables;

const PROJECT: Project = Project { folder: "monitoring/grafana", verb: "dashboards", made: &["node_modules", "dashboards", "causes.json"] };

/// Regenerates the dashboards.
pub fn generate(install: bool) -> Result<Outcome> {
    make(&PROJECT.home(), install)?;
    Ok(Outcome::passed())
}

/// Whether the committed files match their sources.
pub fn compare(install: bool) -> Result<Outcome> {
    let folder = paths::temporary("dashboards")?;
    make(folder.path(), install)?;
    let (made, committed) = (made_in(folder.path())?, made_in(&PROJECT.home())?);
    let names: BTreeSet<&String> = made.keys().chain(committed.keys()).collect();
    let stale: Vec<&str> = names.into_iter().filter(|name| made.get(*name) != committed.get(*name)).map(String::as_str).collect();
    Ok(if stale.is_empty() {
        Outcome::passed().with_note(format!("{} files", made.len()))
    } else {
        Outcome::failed(format!("run `cargo xtask dashboards` and commit: {}", stale.join(", ")))
    })
}

/// Whether the sources type-check against Grafana's own library.
pub fn types(install: bool) -> Result<Outcome> {
    Ok(PROJECT.check(install)?.into())
}

/// Runs the generator with this output folder.
fn make(folder: &Path, install: bool) -> Result<()> {
    PROJECT.packages(install)?;
    ensure!(run(PROJECT.script("build")?.arg("--").arg(folder))?, "failed to generate the dashboards");
    Ok(())
}

/// The generated files, by their paths in the folder.
fn made_in(folder: &Path) -> Result<BTreeMap<String, String>> {
    let read = |path: PathBuf| -> Result<(String, String)> {
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
        Ok((path.strip_prefix(folder)?.display().to_string(), text))
    };
    let dashboards = files(&folder.join("dashboards"))?;
    dashboards.into_iter().chain([folder.join("causes.json")]).map(read).collect()
}

/// The JSON files of the folders in `parent`, sorted.
fn files(parent: &Path) -> Result<Vec<PathBuf>> {
    let entries = |folder: &Path| -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))?;
        entries.map(|entry| Ok(entry?.path())).collect()
    };
    let mut files = Vec::new();
    for folder in entries(parent)?.into_iter().filter(|path| path.is_dir()) {
        files.extend(entries(&folder)?);
    }
    files.retain(|file| file.extension().is_some_and(|kind| kind == "json"));
    files.sort();
    Ok(files)
}

/// Whether promtool can parse every query of every panel, with the default values of the variables.
pub fn parse() -> Result<Outcome> {
    let folder = paths::temporary("queries")?;
    let file = folder.path().join("queries.yml");
    let pace = Pace::of(&prometheus()?, 1);
    let mut rules = Vec::new();
    for dashboard in committed()? {
        let variables = Variables::of(&dashboard, pace)?;
        for target in dashboard.shown().into_iter().flat_map(|panel| &panel.targets) {
            // Each rule needs a name of its own: promtool reports rules of the same name as duplicates.
            let name = format!("query_{}", rules.len());
            rules.push(serde_json::json!({ "record": name, "expr": variables.fill(&target.expr)? }));
        }
    }
    // JSON is valid YAML.
    let groups = serde_json::json!({ "groups": [{ "name": "queries", "rules": rules }] });
    fs::write(&file, groups.to_string()).context("failed to write the queries")?;
    let outcome = check(tool(&PROMTOOL)?.args(["check", "rules"]).arg(&file))?;
    Ok(if outcome.failed == 0 { outcome.with_note(format!("{} queries", rules.len())) } else { outcome })
}

/// Prometheus' configuration as in production.
pub fn prometheus() -> Result<String> {
    fs::read_to_string(paths::root().join("monitoring/prometheus/prometheus.yml")).context("failed to read prometheus.yml")
}

/// The committed dashboards, in the order of their paths.
pub fn committed() -> Result<Vec<Dashboard>> {
    files(&PROJECT.home().join("dashboards"))?
        .iter()
        .map(|file| serde_json::from_str(&fs::read_to_string(file)?).with_context(|| format!("failed to read {}", file.display())))
        .collect()
}

/// The cause to which each panel reacts, by the dashboard's uid and the panel's number.
pub fn causes<Cause: DeserializeOwned>() -> Result<BTreeMap<String, BTreeMap<u32, Cause>>> {
    let file = PROJECT.home().join("causes.json");
    let text = fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("failed to read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_read_with_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        assert!(made_in(folder.path()).is_err());
        fs::create_dir_all(folder.path().join("dashboards/service")).unwrap();
        fs::write(folder.path().join("dashboards/service/a.json"), "{}").unwrap();
        fs::write(folder.path().join("causes.json"), "[]").unwrap();
        let expected = [("causes.json", "[]"), ("dashboards/service/a.json", "{}")].map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(made_in(folder.path()).unwrap(), BTreeMap::from(expected));
    }
}
