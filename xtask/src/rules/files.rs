//! Rule files and files of rule tests, as Prometheus and promtool read and write them: only the fields that ours have, so that
//! a new one is noticed here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

type Texts = BTreeMap<String, String>;

/// A rule file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Its groups.
    pub groups: Vec<Group>,
}

/// Rules that are evaluated one after the other.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Unique in its file.
    pub name: String,
    /// In the order of their evaluation.
    pub rules: Vec<Rule>,
}

/// An alert or a recording rule.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name of the series that it makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The name of the alert that it raises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// In `PromQL`.
    pub expr: String,
    /// How long it must hold before the alert fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#for: Option<String>,
    /// How long the alert goes on after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_firing_for: Option<String>,
    /// Added to those of the expression.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub labels: Texts,
    /// What people are told.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub annotations: Texts,
}

impl Rule {
    /// The name of what it makes.
    pub fn name(&self) -> &str {
        self.alert.as_deref().or(self.record.as_deref()).unwrap_or_default()
    }

    /// Whether an alert of its name is its own. Several rules may raise one alert: their labels tell them apart, but for those that are
    /// filled in when it fires.
    pub fn raises(&self, alert: &Expected) -> bool {
        let mut own = self.labels.iter().filter(|(_, value)| !value.contains("{{"));
        own.all(|(name, value)| alert.exp_labels.get(name) == Some(value))
    }
}

/// A file of rule tests.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// Relative to the file; its own rules come last.
    pub rule_files: Vec<String>,
    /// Groups that build on those before them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_eval_order: Vec<String>,
    /// Of all rules.
    pub evaluation_interval: String,
    /// Each with its own series.
    pub tests: Vec<Test>,
}

/// Series, and what is said of them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "promtool calls them so")]
pub struct Test {
    /// The story.
    pub name: String,
    /// Between two samples.
    pub interval: String,
    /// What texts call `$externalLabels`.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub external_labels: Texts,
    /// What there is to see.
    #[serde(default)]
    pub input_series: Vec<Series>,
    /// Questions to alerts.
    #[serde(default)]
    pub alert_rule_test: Vec<AlertTest>,
    /// Questions to series.
    #[serde(default)]
    pub promql_expr_test: Vec<SeriesTest>,
}

/// One series and its samples.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Its name and labels.
    pub series: String,
    /// In promtool's notation, of which `0x40` is no number.
    pub values: String,
}

/// Which alerts of a name fire at a time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AlertTest {
    /// Since the first sample.
    pub eval_time: String,
    /// The alert.
    pub alertname: String,
    /// None of them: it is silent.
    #[serde(default)]
    pub exp_alerts: Vec<Expected>,
}

/// An alert that fires.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// All of them but the alert's name.
    #[serde(default)]
    pub exp_labels: Texts,
    /// All of them.
    #[serde(default)]
    pub exp_annotations: Texts,
}

/// What an expression says at a time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesTest {
    /// In `PromQL`.
    pub expr: String,
    /// Since the first sample.
    pub eval_time: String,
    /// As promtool reads them.
    #[serde(default)]
    pub exp_samples: Vec<serde_norway::Value>,
}

/// The names, without `.yml`, of a folder's files, in order.
pub fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(|name| name.strip_suffix(".yml")).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Reads a file of this kind.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_norway::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_as_they_were_read() {
        let text = "series: up\nvalues: 0x40\n";
        let series: Series = serde_norway::from_str(text).unwrap();
        assert_eq!(series.values, "0x40");
        let written = serde_norway::to_string(&series).unwrap();
        // In quotes, since it would be a number without.
        assert!(written.contains("'0x40'"), "{written}");
    }
}
