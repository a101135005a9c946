//! Grafana's dashboards: JSON that Node.js generates from `monitoring/grafana/src`, committed because Grafana reads it from there.
//! This module generates, compares and reads it. Those sources define the contents, `tests/contract/` checks them against the
//! requirements, and `panels` proves that panels show real events. `dashboards/variables` resolves the variables of queries.

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
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::checks::{check, tool};

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

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|kind| kind == "json"));
    files.sort();
    Ok(files)
}

/// Whether Prometheus can parse every query of every panel with default variables.
pub fn parse() -> Result<Outcome> {
    let folder = paths::temporary("queries")?;
    let file = folder.path().join("queries.yml");
    let pace = Pace::of(&prometheus()?, 1);
    let mut rules = Vec::new();
    for dashboard in committed()? {
        let variables = Variables::of(&dashboard, pace)?;
        for target in dashboard.shown().into_iter().flat_map(|panel| &panel.targets) {
            // A rule needs a name, and two rules of one name must not have the same expression.
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

/// A dashboard, reduced to the fields that its queries need.
#[derive(Deserialize)]
pub struct Dashboard {
    /// Its identifier, also used in links.
    pub uid: String,
    /// Its displayed name.
    pub title: String,
    time: Span,
    templating: List<Variable>,
    annotations: List<Annotation>,
    panels: Vec<Panel>,
}

/// The displayed time range.
#[derive(Deserialize)]
struct Span {
    from: String,
}

#[derive(Deserialize)]
struct List<T> {
    list: Vec<T>,
}

/// A variable of queries.
#[derive(Deserialize)]
struct Variable {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    query: Value,
    /// A pattern that extracts the value from the query's result.
    #[serde(default)]
    regex: String,
    #[serde(default)]
    current: Value,
    #[serde(default, rename = "allValue")]
    all_value: Option<String>,
}

/// Events marked on all graphs of a dashboard.
#[derive(Deserialize)]
pub struct Annotation {
    /// Its displayed name.
    pub name: String,
    /// Its query.
    #[serde(default)]
    pub expr: String,
}

/// A panel, or a row of panels.
#[derive(Deserialize)]
pub struct Panel {
    /// Its number, unique within its dashboard.
    pub id: u32,
    /// Its displayed name.
    #[serde(default)]
    pub title: String,
    #[serde(rename = "type")]
    kind: String,
    /// Its queries.
    #[serde(default)]
    pub targets: Vec<Target>,
    #[serde(default)]
    panels: Vec<Panel>,
}

/// A query of a panel.
#[derive(Deserialize)]
pub struct Target {
    /// Its name, unique within its panel.
    #[serde(rename = "refId")]
    pub name: String,
    /// The query's expression.
    pub expr: String,
    #[serde(default)]
    format: String,
}

impl Target {
    /// Whether it queries histogram buckets, each of which is drawn without those below it.
    #[must_use]
    pub fn is_of_buckets(&self) -> bool {
        self.format == "heatmap"
    }
}

impl Dashboard {
    /// The panels that show data, including those in collapsed rows.
    #[must_use]
    pub fn shown(&self) -> Vec<&Panel> {
        let inside = self.panels.iter().flat_map(|panel| &panel.panels);
        self.panels.iter().chain(inside).filter(|panel| !matches!(panel.kind.as_str(), "row" | "text")).collect()
    }

    /// The events marked on its graphs.
    #[must_use]
    pub fn annotations(&self) -> &[Annotation] {
        &self.annotations.list
    }

    /// For each variable with values from Prometheus: the series and the label that they come from.
    pub fn choices(&self) -> impl Iterator<Item = (&str, Option<(&str, &str)>)> {
        let asking = self.templating.list.iter().filter(|variable| variable.kind == "query");
        asking.map(|variable| (variable.name.as_str(), variable.choices()))
    }
}

impl Variable {
    fn choices(&self) -> Option<(&str, &str)> {
        let query = self.query["query"].as_str().or(self.query.as_str())?;
        // A pattern extracts the value from the labels of a series.
        if let Some(series) = query.strip_prefix("query_result(") {
            return Some((series.strip_suffix(')')?, self.regex.strip_prefix('/')?.split_once('=')?.0));
        }
        let (series, label) = query.strip_prefix("label_values(")?.strip_suffix(')')?.rsplit_once(',')?;
        Some((series.trim(), label.trim()))
    }
}

/// The committed dashboards, in the order of their file names.
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
    use serde_json::json;

    #[test]
    fn panels_in_closed_rows_are_shown_and_rows_and_texts_are_not() {
        let panel = |id: u32, kind: &str| json!({ "id": id, "type": kind, "targets": [{ "refId": "A", "expr": "up" }] });
        let closed = json!({ "id": 1, "type": "row", "panels": [panel(2, "stat")] });
        let dashboard: Dashboard = serde_json::from_value(json!({
            "uid": "a", "title": "A", "time": { "from": "now-1h" }, "annotations": { "list": [] },
            "templating": { "list": [
                { "name": "route", "type": "query", "query": { "query": "label_values(up{job=\"a\", b=\"c\"}, route)" } },
                { "name": "datasource", "type": "datasource", "query": "prometheus" },
                { "name": "page", "type": "query", "query": { "query": "query_result(up{job=\"a\"})" }, "regex": "/page_url=\"([^\"]+)\"/" },
            ] },
            "panels": [closed, panel(3, "text"), panel(4, "timeseries")],
        }))
        .unwrap();
        assert_eq!(dashboard.shown().iter().map(|panel| panel.id).collect::<Vec<_>>(), [4, 2]);
        let choices = [("route", Some(("up{job=\"a\", b=\"c\"}", "route"))), ("page", Some(("up{job=\"a\"}", "page_url")))];
        assert_eq!(dashboard.choices().collect::<Vec<_>>(), choices);
    }

    #[test]
    fn generated_files_are_read_with_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        assert!(made_in(folder.path()).is_err());
        fs::create_dir(folder.path().join("dashboards")).unwrap();
        fs::write(folder.path().join("dashboards/a.json"), "{}").unwrap();
        fs::write(folder.path().join("causes.json"), "[]").unwrap();
        let expected = [("causes.json", "[]"), ("dashboards/a.json", "{}")].map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(made_in(folder.path()).unwrap(), BTreeMap::from(expected));
    }
}
