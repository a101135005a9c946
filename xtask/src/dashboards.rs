//! Grafana's dashboards: JSON made by Node.js from the sources in `monitoring/grafana/src`, committed because Grafana reads it from there.
//! Here is how it is made, compared and read; what it holds belongs to those sources, what must hold of it to `tests/contract/`,
//! and whether panels show what happens to `panels`. What variables of a query stand for: `dashboards/variables`.

mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::checks::{check, tool};
use crate::node::Project;
use crate::paths;
use crate::process::run;
use crate::report::Outcome;
use crate::speed::Pace;
use crate::tools::PROMTOOL;

pub use variables::Variables;

const PROJECT: Project = Project { folder: "monitoring/grafana", verb: "dashboards", made: &["node_modules", "dashboards", "causes.json"] };

/// Writes them anew.
pub fn generate(install: bool) -> Result<Outcome> {
    make(&PROJECT.home(), install)?;
    Ok(Outcome::passed())
}

/// Whether the committed files are what the sources say.
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

/// Whether the sources fit the types of Grafana's own library.
pub fn types(install: bool) -> Result<Outcome> {
    Ok(PROJECT.check(install)?.into())
}

/// Has the generator write into a folder.
fn make(folder: &Path, install: bool) -> Result<()> {
    PROJECT.packages(install)?;
    ensure!(run(PROJECT.script("build")?.arg("--").arg(folder))?, "the dashboards could not be made");
    Ok(())
}

/// The files that the generator writes, by their paths in its folder.
fn made_in(folder: &Path) -> Result<BTreeMap<String, String>> {
    let read = |path: PathBuf| -> Result<(String, String)> {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path.strip_prefix(folder)?.display().to_string(), text))
    };
    let dashboards = files(&folder.join("dashboards"))?;
    dashboards.into_iter().chain([folder.join("causes.json")]).map(read).collect()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|kind| kind == "json"));
    files.sort();
    Ok(files)
}

/// Whether Prometheus can parse every query of every panel, at its default variables.
pub fn parse() -> Result<Outcome> {
    let folder = paths::temporary("queries")?;
    let file = folder.path().join("queries.yml");
    let pace = Pace::of(&prometheus()?, 1);
    let mut rules = Vec::new();
    for dashboard in committed()? {
        let variables = Variables::of(&dashboard, pace)?;
        for target in dashboard.shown().into_iter().flat_map(|panel| &panel.targets) {
            // A rule needs a name, and no two may say the same under one.
            let name = format!("query_{}", rules.len());
            rules.push(serde_json::json!({ "record": name, "expr": variables.fill(&target.expr)? }));
        }
    }
    // JSON is YAML, too.
    let groups = serde_json::json!({ "groups": [{ "name": "queries", "rules": rules }] });
    fs::write(&file, groups.to_string()).context("cannot write the queries")?;
    let outcome = check(tool(&PROMTOOL)?.args(["check", "rules"]).arg(&file))?;
    Ok(if outcome.failed == 0 { outcome.with_note(format!("{} queries", rules.len())) } else { outcome })
}

/// Prometheus' configuration, as it is in production.
pub fn prometheus() -> Result<String> {
    fs::read_to_string(paths::root().join("monitoring/prometheus/prometheus.yml")).context("cannot read prometheus.yml")
}

/// A dashboard, as far as its queries go.
#[derive(Deserialize)]
pub struct Dashboard {
    /// Its identifier, also in links.
    pub uid: String,
    /// Its name.
    pub title: String,
    time: Span,
    templating: List<Variable>,
    annotations: List<Annotation>,
    panels: Vec<Panel>,
}

/// What time it shows.
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
    /// What of the answer is a value, as a pattern.
    #[serde(default)]
    regex: String,
    #[serde(default)]
    current: Value,
    #[serde(default, rename = "allValue")]
    all_value: Option<String>,
}

/// What is drawn over all of its graphs.
#[derive(Deserialize)]
pub struct Annotation {
    /// Its name.
    pub name: String,
    /// What is asked for.
    #[serde(default)]
    pub expr: String,
}

/// A panel, or a row of them.
#[derive(Deserialize)]
pub struct Panel {
    /// Its number, of its dashboard.
    pub id: u32,
    /// Its name.
    #[serde(default)]
    pub title: String,
    #[serde(rename = "type")]
    kind: String,
    /// What it asks for.
    #[serde(default)]
    pub targets: Vec<Target>,
    #[serde(default)]
    panels: Vec<Panel>,
}

/// A query of a panel.
#[derive(Deserialize)]
pub struct Target {
    /// Its name, of its panel.
    #[serde(rename = "refId")]
    pub name: String,
    /// What is asked for.
    pub expr: String,
    #[serde(default)]
    format: String,
}

impl Target {
    /// Whether it asks for the buckets of a histogram, each of which is drawn without those below it.
    pub fn is_of_buckets(&self) -> bool {
        self.format == "heatmap"
    }
}

impl Dashboard {
    /// The panels that show something, those in closed rows, too.
    pub fn shown(&self) -> Vec<&Panel> {
        let inside = self.panels.iter().flat_map(|panel| &panel.panels);
        self.panels.iter().chain(inside).filter(|panel| !matches!(panel.kind.as_str(), "row" | "text")).collect()
    }

    /// What is drawn over its graphs.
    pub fn annotations(&self) -> &[Annotation] {
        &self.annotations.list
    }

    /// The series and the label from which each variable gets its values that asks Prometheus for them.
    pub fn choices(&self) -> impl Iterator<Item = (&str, Option<(&str, &str)>)> {
        let asking = self.templating.list.iter().filter(|variable| variable.kind == "query");
        asking.map(|variable| (variable.name.as_str(), variable.choices()))
    }
}

impl Variable {
    fn choices(&self) -> Option<(&str, &str)> {
        let query = self.query["query"].as_str().or(self.query.as_str())?;
        // A value that the pattern finds among the labels of a series.
        if let Some(series) = query.strip_prefix("query_result(") {
            return Some((series.strip_suffix(')')?, self.regex.strip_prefix('/')?.split_once('=')?.0));
        }
        let (series, label) = query.strip_prefix("label_values(")?.strip_suffix(')')?.rsplit_once(',')?;
        Some((series.trim(), label.trim()))
    }
}

/// The committed dashboards, by the names of their files.
pub fn committed() -> Result<Vec<Dashboard>> {
    files(&PROJECT.home().join("dashboards"))?
        .iter()
        .map(|file| serde_json::from_str(&fs::read_to_string(file)?).with_context(|| format!("cannot read {}", file.display())))
        .collect()
}

/// What moves each panel, by the dashboard's uid and the panel's number.
pub fn causes<Cause: DeserializeOwned>() -> Result<BTreeMap<String, BTreeMap<u32, Cause>>> {
    let file = PROJECT.home().join("causes.json");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot read {}", file.display()))
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
    fn what_is_made_is_read_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        assert!(made_in(folder.path()).is_err());
        fs::create_dir(folder.path().join("dashboards")).unwrap();
        fs::write(folder.path().join("dashboards/a.json"), "{}").unwrap();
        fs::write(folder.path().join("causes.json"), "[]").unwrap();
        let expected = [("causes.json", "[]"), ("dashboards/a.json", "{}")].map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(made_in(folder.path()).unwrap(), BTreeMap::from(expected));
    }
}
