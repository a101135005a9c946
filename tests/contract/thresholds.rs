//! Alerts on durations must be able to fire with the shipped settings. No duration exceeds its time limit, and no quantile exceeds the last
//! bucket of its histogram. An alert with a threshold beyond one of these limits never fires.

use std::time::Duration;

use clap::Parser;
use vitrine::config::{Cli, Config};

use crate::files::{alerts, root, yaml};
use crate::metrics::Catalogue;
use crate::promql;

/// A metric, the configuration variable that limits its durations, and a function that returns the variable's value.
type Limit = (&'static str, &'static str, fn(&Config) -> Duration);
const LIMITS: [Limit; 6] = [
    ("http_request_duration_seconds", "REQUEST_TIMEOUT", |config| config.request_timeout),
    ("db_query_duration_seconds", "DATABASE_STATEMENT_TIMEOUT", |config| config.database_statement_timeout),
    ("db_pool_wait_seconds", "DATABASE_ACQUIRE_TIMEOUT", |config| config.database_acquire_timeout),
    ("redis_command_duration_seconds", "REDIS_TIMEOUT", |config| config.redis_timeout),
    ("docker_operation_duration_seconds", "ENVIRONMENT_TIMEOUT", |config| config.environment_timeout),
    ("social_api_duration_seconds", "PLATFORM_TIMEOUT", |config| config.platform_timeout),
];
/// Scripts in environments have a time limit of ten times `ENVIRONMENT_TIMEOUT`, so the limit in `LIMITS` does not apply to them.
const LONGER: &str = r#"operation="exec""#;

/// A comparison of a histogram's quantile with a number.
#[derive(Debug, PartialEq)]
pub struct Threshold {
    /// The histogram's name in the catalogue.
    metric: String,
    /// The arguments of `histogram_quantile`.
    pub expression: String,
    operator: String,
    pub value: f64,
}

/// Every comparison of a quantile with a number in an expression.
pub fn thresholds(expression: &str, catalogue: &Catalogue) -> Vec<Threshold> {
    let starts = expression.match_indices("histogram_quantile(").map(|(at, found)| at + found.len());
    starts.filter_map(|start| threshold(&expression[start..], catalogue)).collect()
}

fn threshold(rest: &str, catalogue: &Catalogue) -> Option<Threshold> {
    let mut depth = 1;
    let end = rest.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    })?;
    let (inside, after) = rest.split_at(end);
    let after = after[1..].trim_start();
    let operator: String = after.chars().take_while(|c| matches!(c, '<' | '>' | '=')).collect();
    let number: String = after[operator.len()..].trim_start().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let selected = promql::read(inside).selectors.first()?.metric.clone();
    // The name of a recorded series contains the name of its source metric.
    let metric = selected.split(':').find_map(|part| Some(catalogue.row(part)?.name.to_owned()))?;
    Some(Threshold { metric, expression: inside.to_owned(), operator, value: number.parse().ok()? })
}

/// The reasons why a threshold cannot report long durations.
fn faults(threshold: &Threshold, catalogue: &Catalogue, cut_off: Option<(&str, Duration)>) -> Vec<String> {
    let Threshold { metric, operator, value, .. } = threshold;
    let last = catalogue.row(metric).and_then(|row| row.buckets.last().copied()).unwrap();
    if operator.starts_with('<') {
        return vec![format!("{metric} {operator} {value} fires on short durations")];
    }
    let is_reached = if operator == ">=" { *value <= last } else { *value < last };
    let mut faults = Vec::new();
    if !is_reached {
        faults.push(format!("{metric} {operator} {value} never fires: the last bucket is {last}"));
    }
    if let Some((variable, limit)) = cut_off.filter(|(_, limit)| *value >= limit.as_secs_f64()) {
        faults.push(format!("{metric} {operator} {value} never fires: {variable} is {} s", limit.as_secs_f64()));
    }
    faults
}

/// The default configuration of the service, with the time limits from docker-compose.yml.
fn shipped() -> Config {
    let compose = yaml(&root().join("docker-compose.yml"));
    let environment = &compose["x-backend-environment"];
    let mut arguments: Vec<String> = ["vitrine", "--database-url=postgres://nobody@127.0.0.1:1/none", "--redis-url=redis://127.0.0.1:1"]
        .into_iter()
        .chain(["--token-keys=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="])
        .map(str::to_owned)
        .collect();
    for (_, variable, _) in LIMITS {
        // Values look like `REQUEST_TIMEOUT: ${REQUEST_TIMEOUT:-10s}`.
        let Some(text) = environment[variable].as_str() else { continue };
        let value = text.split_once(":-").map_or(text, |(_, default)| default.trim_end_matches('}'));
        arguments.push(format!("--{}={value}", variable.to_lowercase().replace('_', "-")));
    }
    Cli::parse_from(arguments).config
}

#[test]
fn every_alert_on_a_duration_can_fire_with_the_shipped_limits() {
    let (catalogue, config) = (Catalogue::read(), shipped());
    let (mut found, mut seen) = (Vec::new(), 0);
    for rule in alerts() {
        for threshold in thresholds(rule["expr"].as_str().unwrap(), &catalogue) {
            seen += 1;
            let limit = LIMITS.iter().find(|(metric, _, _)| *metric == threshold.metric && !threshold.expression.contains(LONGER));
            let cut_off = limit.map(|(_, variable, of)| (*variable, of(&config)));
            found.extend(faults(&threshold, &catalogue, cut_off).into_iter().map(|fault| format!("{}: {fault}", rule["alert"])));
        }
    }
    assert!(seen >= 12, "only {seen} thresholds were found");
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_threshold_beyond_a_limit_or_a_bucket_is_reported() {
    let catalogue = Catalogue::read();
    let faults = |expression: &str, seconds: u64| {
        let thresholds = thresholds(expression, &catalogue);
        assert_eq!(thresholds.len(), 1, "{expression}");
        faults(&thresholds[0], &catalogue, Some(("LIMIT", Duration::from_secs(seconds))))
    };
    let of = |rest: &str| {
        format!(
            "label_replace(histogram_quantile(0.95, sum by (le) (rate(db_query_duration_seconds_bucket[5m]))) {rest}, \"a\", \"b\", \"\", \"\")"
        )
    };
    assert_eq!(faults(&of("> 0.5"), 1), [""; 0]);
    assert_eq!(faults(&of("> 5"), 1), ["db_query_duration_seconds > 5 never fires: LIMIT is 1 s"]);
    assert_eq!(faults(&of("> 10"), 20), ["db_query_duration_seconds > 10 never fires: the last bucket is 10"]);
    assert_eq!(faults(&of(">= 10"), 20), [""; 0]);
    assert_eq!(faults(&of("< 0.5"), 1), ["db_query_duration_seconds < 0.5 fires on short durations"]);
    let recorded = "histogram_quantile(0.5, sum by (le) (route_le:http_request_duration_seconds_bucket:rate5m)) > 11";
    assert_eq!(faults(recorded, 20), ["http_request_duration_seconds > 11 never fires: the last bucket is 10"]);
}
