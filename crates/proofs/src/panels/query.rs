//! The queries of a panel, with the variables of its dashboard replaced by their values. `shown` sends them to Prometheus.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rule_tools::dashboards::{Dashboard, Panel, Variables};

use super::shown::{Shown, per_bucket, query_range};

/// The length of the time range in which every query of a panel must return data.
pub const SHOWN: Duration = Duration::from_secs(30);

/// A query of a panel.
pub struct Query {
    /// Its name, unique within its panel.
    pub name: String,
    /// Its expression, without variables.
    pub text: String,
    /// Whether it queries cumulative histogram buckets, which the panel draws without the buckets below.
    pub is_of_buckets: bool,
}

impl Query {
    /// The queries of a panel; fails if it has none.
    pub fn of(dashboard: &Dashboard, panel: &Panel, variables: &Variables) -> Result<Vec<Self>> {
        let name = name(dashboard, panel);
        let query = |target: &rule_tools::dashboards::Target| {
            let text = variables.fill(&target.expr).with_context(|| name.clone())?;
            Ok(Self { name: target.name.clone(), text, is_of_buckets: target.is_of_buckets() })
        };
        let queries = panel.targets.iter().map(query).collect::<Result<Vec<_>>>()?;
        ensure!(!queries.is_empty(), "{name} has no query");
        Ok(queries)
    }

    /// The data of the query between two times, from the Prometheus at a URL.
    pub fn range(&self, prometheus: &str, from: f64, to: f64, step: Duration) -> Result<Shown> {
        let shown = query_range(prometheus, &self.text, from, to, step)?;
        if self.is_of_buckets { per_bucket(&shown) } else { Ok(shown) }
    }

    /// The problem with the query's data in the time range [`SHOWN`] that ends at `to`, if any.
    pub fn trouble(&self, prometheus: &str, to: f64, step: Duration) -> Option<String> {
        match self.range(prometheus, to - SHOWN.as_secs_f64(), to, step) {
            Ok(shown) => shown.is_empty().then(|| format!("query {} is empty", self.name)),
            Err(error) => Some(format!("query {}: {error:#}", self.name)),
        }
    }
}

/// The name of a panel in reports.
pub fn name(dashboard: &Dashboard, panel: &Panel) -> String {
    format!("{} / {}", dashboard.title, panel.title)
}
