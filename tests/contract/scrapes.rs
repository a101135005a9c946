//! The scrape jobs of prometheus.yml: their limits, and the series that their relabelling keeps. The relabelling actions `keep` and `drop`
//! are supported; `replace` is ignored, because it keeps every series.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use serde_json::Value;

use crate::files::{items, root, yaml};

/// The labels of a series, with its name under `__name__`.
pub type Labels = BTreeMap<&'static str, String>;

/// One scrape job.
pub struct Job {
    pub name: String,
    /// Its `sample_limit`.
    pub limit: usize,
    pub targets: usize,
    rules: Vec<Rule>,
}

/// One item of `metric_relabel_configs`.
struct Rule {
    sources: Vec<String>,
    pattern: String,
    regex: Regex,
    keeps: bool,
}

impl Rule {
    fn read(rule: &Value) -> Self {
        let action = rule["action"].as_str().unwrap();
        assert!(matches!(action, "keep" | "drop"), "unsupported relabelling action {action}");
        let pattern = rule["regex"].as_str().unwrap().to_owned();
        Self {
            sources: items(&rule["source_labels"]).map(|label| label.as_str().unwrap().to_owned()).collect(),
            // Prometheus anchors patterns at both ends.
            regex: Regex::new(&format!("^(?s:{pattern})$")).unwrap(),
            pattern,
            keeps: action == "keep",
        }
    }

    fn lets_pass(&self, series: &Labels) -> bool {
        let of = |label: &String| series.get(label.as_str()).map_or("", String::as_str);
        let joined = self.sources.iter().map(of).collect::<Vec<_>>().join(";");
        self.regex.is_match(&joined) == self.keeps
    }
}

impl Job {
    pub fn all() -> Vec<Self> {
        let config = yaml(&root().join("monitoring/prometheus/prometheus.yml"));
        items(&config["scrape_configs"]).map(Self::read).collect()
    }

    pub fn named(name: &str) -> Self {
        Self::all().into_iter().find(|job| job.name == name).unwrap()
    }

    fn read(job: &Value) -> Self {
        let name = job["job_name"].as_str().unwrap().to_owned();
        let limit = job["sample_limit"].as_u64().unwrap_or_else(|| panic!("{name} has no sample_limit"));
        Self {
            limit: usize::try_from(limit).unwrap(),
            targets: items(&job["static_configs"]).map(|group| items(&group["targets"]).count()).sum(),
            rules: items(&job["metric_relabel_configs"])
                .filter(|rule| !matches!(rule["action"].as_str(), Some("replace" | "labeldrop")))
                .map(Rule::read)
                .collect(),
            name,
        }
    }

    /// The same job without its relabelling.
    pub fn without_relabelling(mut self) -> Self {
        self.rules.clear();
        self
    }

    /// Whether a series of a scrape is kept.
    pub fn keeps(&self, series: &Labels) -> bool {
        self.rules.iter().all(|rule| rule.lets_pass(series))
    }

    /// The metric names in the job's first `keep` rule on `__name__`; `None` if it has no such rule.
    pub fn kept_names(&self) -> Option<BTreeSet<&str>> {
        let by_name = self.rules.iter().find(|rule| rule.keeps && rule.sources == ["__name__"])?;
        Some(by_name.pattern.split('|').collect())
    }
}
