//! Replaces the variables in queries with values. If the queried Prometheus runs faster than in production (`devstack::speed`), also
//! shortens the durations in queries accordingly. A dashboard's variables have their default values. The values of Grafana's built-in
//! variables follow from the scrape interval and the displayed time range.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use devstack::speed::{self, Pace};
use serde_json::Value;

use super::model::{Dashboard, Variable};

/// Grafana's `$__rate_interval` is four scrape intervals if `$__interval` is one scrape interval, as here.
const SCRAPES_OF_A_RATE: u32 = 4;
/// Grafana's value for the selection `All`.
const ALL: &str = "$__all";

/// The values of variables, by name.
pub struct Variables {
    values: BTreeMap<String, String>,
    pace: Pace,
}

impl Variables {
    /// The defaults of a dashboard, for a Prometheus at this pace.
    pub fn of(dashboard: &Dashboard, pace: Pace) -> Result<Self> {
        let scrape = pace.real_interval();
        let shown =
            dashboard.time.from.strip_prefix("now-").and_then(speed::parse).context("the time range must begin at `now-<duration>`")?;
        let own = dashboard.templating.list.iter().map(|variable| Ok((variable.name.clone(), variable.default()?)));
        let mut values = own.collect::<Result<BTreeMap<_, _>>>()?;
        for (name, long) in [("__interval", scrape), ("__rate_interval", scrape * SCRAPES_OF_A_RATE), ("__range", shown)] {
            values.insert(name.to_owned(), speed::written(long));
            // `Pace::expression` does not recognise plain numbers as durations, so they are shortened here.
            let here = pace.shortened(long);
            values.insert(format!("{name}_s"), here.as_secs().to_string());
            values.insert(format!("{name}_ms"), here.as_millis().to_string());
        }
        Ok(Self { values, pace })
    }

    /// Replaces the variables in a query with their values, and shortens its durations to the pace.
    pub fn fill(&self, query: &str) -> Result<String> {
        let mut filled = String::with_capacity(query.len());
        let mut rest = query;
        while let Some((before, after)) = rest.split_once('$') {
            filled.push_str(before);
            let (name, after_name) = leading_name(after);
            if name.is_empty() {
                // This `$` ends a regular expression or refers to a capture group.
                filled.push('$');
            } else {
                filled.push_str(self.values.get(name).with_context(|| format!("{query}: there is no variable {name}"))?);
            }
            rest = after_name;
        }
        filled.push_str(rest);
        Ok(self.pace.expression(&filled))
    }
}

/// Splits the text after a `$` into the variable's name, without a format such as `:regex`, and the rest. The name may be empty.
fn leading_name(text: &str) -> (&str, &str) {
    let braced = text.strip_prefix('{').and_then(|inside| inside.split_once('}'));
    let (name, after) = braced.map_or_else(
        || text.split_at(text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())),
        |(inside, after)| (inside.split(':').next().unwrap_or_default(), after),
    );
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { (name, after) } else { ("", text) }
}

impl Variable {
    fn default(&self) -> Result<String> {
        let chosen = match &self.current["value"] {
            Value::String(value) => vec![value.as_str()],
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        match chosen[..] {
            [] => self.query.as_str().map(str::to_owned).with_context(|| format!("the variable {} has no default", self.name)),
            [ALL] => Ok(self.all_value.clone().unwrap_or_else(|| ".*".to_owned())),
            [one] => Ok(one.to_owned()),
            _ => Ok(format!("({})", chosen.join("|"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PROMETHEUS: &str = "global:\n  scrape_interval: 15s\n";

    fn variables(speed: u32) -> Variables {
        let dashboard: Dashboard = serde_json::from_value(json!({
            "uid": "a", "title": "A", "time": { "from": "now-1h" }, "annotations": { "list": [] }, "panels": [],
            "templating": { "list": [
                { "name": "instance", "type": "query", "allValue": ".+", "current": { "value": ["$__all"] } },
                { "name": "route", "type": "query", "current": { "value": "$__all" } },
                { "name": "job", "type": "custom", "current": { "value": ["a", "b"] } },
                { "name": "quantile", "type": "constant", "query": "0.95" },
            ] },
        }))
        .unwrap();
        Variables::of(&dashboard, Pace::of(PROMETHEUS, speed)).unwrap()
    }

    #[test]
    fn variables_are_replaced_with_their_defaults() {
        let query = r#"rate(a{i=~"$instance",r=~"${route:regex}",j=~"$job",s=~"5..$"}[$__rate_interval]) * $quantile"#;
        let expected = r#"rate(a{i=~".+",r=~".*",j=~"(a|b)",s=~"5..$"}[60s]) * 0.95"#;
        assert_eq!(variables(1).fill(query).unwrap(), expected);
        let captured = r#"label_replace(up, "a", "$1-${2}", "b", "(.*)")"#;
        assert_eq!(variables(1).fill(captured).unwrap(), captured);
    }

    #[test]
    fn durations_shrink_with_the_speed_of_the_monitoring() {
        let query = "increase(a[$__range]) / $__range_s + max_over_time(b[1h:$__interval])";
        assert_eq!(variables(1).fill(query).unwrap(), "increase(a[3600s]) / 3600 + max_over_time(b[3600s:60s])");
        assert_eq!(variables(30).fill(query).unwrap(), "increase(a[120s]) / 120 + max_over_time(b[120s:4s])");
    }

    #[test]
    fn an_error_names_an_unknown_variable() {
        let error = variables(1).fill("up{a=\"$nobody\"}").unwrap_err().to_string();
        assert!(error.ends_with("there is no variable nobody"), "{error}");
    }
}
