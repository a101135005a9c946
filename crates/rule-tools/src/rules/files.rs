//! Rule files and files of rule tests in the format of Prometheus and promtool. The types have only the fields that our files use; any
//! other field is an error.

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
    /// The groups, in their order in the file.
    pub groups: Vec<Group>,
}

/// Rules that are evaluated one after the other.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name, unique in its file.
    pub name: String,
    /// Its rules, in the order of evaluation.
    pub rules: Vec<Rule>,
}

/// An alert or a recording rule.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name of the recorded series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The name of the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// The expression in `PromQL`.
    pub expr: String,
    /// How long the expression must hold before the alert fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#for: Option<String>,
    /// How long the alert keeps firing after the expression no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_firing_for: Option<String>,
    /// Labels added to those of the expression.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub labels: Texts,
    /// The texts of notifications.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub annotations: Texts,
}

impl Rule {
    /// The name of the alert or of the recorded series.
    #[must_use]
    pub fn name(&self) -> &str {
        self.alert.as_deref().or(self.record.as_deref()).unwrap_or_default()
    }

    /// Whether an expected alert with this rule's name belongs to this rule. Several rules may raise alerts of one name; the labels of the
    /// rules distinguish the alerts. Templates among the label values are ignored, because Prometheus fills them in when the alert fires.
    #[must_use]
    pub fn raises(&self, alert: &Expected) -> bool {
        let mut own = self.labels.iter().filter(|(_, value)| !value.contains("{{"));
        own.all(|(name, value)| alert.exp_labels.get(name) == Some(value))
    }
}

/// A file of rule tests.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// Paths relative to the file; the tested rules come last.
    pub rule_files: Vec<String>,
    /// The groups in their order of evaluation, if one group depends on another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_eval_order: Vec<String>,
    /// The interval at which all rules are evaluated.
    pub evaluation_interval: String,
    /// The tests, each with its own series.
    pub tests: Vec<Test>,
}

/// Input series and expectations about them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The name of the test.
    pub name: String,
    /// The interval between two samples.
    pub interval: String,
    /// The values of `$externalLabels` in templates.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub external_labels: Texts,
    /// The input series.
    #[serde(default)]
    pub input_series: Vec<Series>,
    /// Expectations about alerts.
    #[serde(default)]
    pub alert_rule_test: Vec<AlertTest>,
    /// Expectations about expressions.
    #[serde(default)]
    pub promql_expr_test: Vec<SeriesTest>,
}

/// One series and its samples.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Its name and labels.
    pub series: String,
    /// Its samples in promtool's notation: `0x40` is a 0 that is repeated 40 times, not a hexadecimal number.
    pub values: String,
}

/// The alerts with one name that are expected at one point in time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AlertTest {
    /// The time since the first sample.
    pub eval_time: String,
    /// The name of the alert.
    pub alertname: String,
    /// The firing alerts; if empty, none may fire.
    #[serde(default)]
    pub exp_alerts: Vec<Expected>,
}

/// A firing alert.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// All labels except `alertname`.
    #[serde(default)]
    pub exp_labels: Texts,
    /// All annotations.
    #[serde(default)]
    pub exp_annotations: Texts,
}

/// The expected result of an expression at one point in time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesTest {
    /// The expression in `PromQL`.
    pub expr: String,
    /// The time since the first sample.
    pub eval_time: String,
    /// The samples in promtool's format.
    #[serde(default)]
    pub exp_samples: Vec<serde_norway::Value>,
}

/// The names of the `.yml` files in a folder, without this ending, sorted.
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

/// Reads and parses a YAML file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_norway::from_str(&text).with_context(|| format!("failed to parse {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_their_notation() {
        let text = "series: up\nvalues: 0x40\n";
        let series: Series = serde_norway::from_str(text).unwrap();
        assert_eq!(series.values, "0x40");
        let written = serde_norway::to_string(&series).unwrap();
        // Without quotes, YAML would read a number.
        assert!(written.contains("'0x40'"), "{written}");
    }
}
