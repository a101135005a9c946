//! The answers of two servers to the same query at the same time, and their difference.

use anyhow::{Context, Result, ensure};
use devstack::http::{Client, encoded};
use serde_json::Value;

use super::site::LIMIT;

/// Labels that the store has, and that Prometheus adds only when it sends series elsewhere; and the name,
/// which `MetricsQL` keeps in more cases.
const IGNORED: [&str; 3] = ["cluster", "environment", "__name__"];

/// The value of each series, in the order of their labels. A NaN is no value: Prometheus returns it, and graphs do not show it.
pub type Answer = Vec<(String, f64)>;

/// The answer of a server at a time in Unix seconds; `more` are further parameters, such as `&extra_label=cluster=a`.
pub fn ask(server: &str, query: &str, time: f64, more: &str) -> Result<Answer> {
    read(&data(server, query, time, more)?)
}

/// The samples of a range selector such as `up[60s]`, with their times and labels.
pub fn raw(server: &str, selector: &str, time: f64, more: &str) -> Result<Vec<(f64, String)>> {
    let data = data(server, selector, time, more)?;
    let series = data["result"].as_array().context("no series")?;
    let of_one = |one: &Value| {
        let labels = labels(&one["metric"]);
        let times = one["values"].as_array().into_iter().flatten().filter_map(|sample| sample[0].as_f64());
        times.map(|time| (time, labels.clone())).collect::<Vec<_>>()
    };
    Ok(series.iter().flat_map(of_one).collect())
}

fn data(server: &str, query: &str, time: f64, more: &str) -> Result<Value> {
    let url = format!("{server}/api/v1/query?query={}&time={time:.3}{more}", encoded(query));
    let mut answer = Client::with_limit(LIMIT).send("GET", &url, &[], None)?.json()?;
    ensure!(answer["status"] == "success", "{}", answer["error"]);
    Ok(answer["data"].take())
}

fn labels(metric: &Value) -> String {
    let mut labels = metric.as_object().cloned().unwrap_or_default();
    labels.retain(|label, _| !IGNORED.contains(&label.as_str()));
    Value::Object(labels).to_string()
}

fn read(data: &Value) -> Result<Answer> {
    if data["resultType"] == "scalar" {
        return Ok(number(&data["result"]).map(|value| ("scalar".to_owned(), value)).into_iter().collect());
    }
    let results = data["result"].as_array().context("no results")?;
    let series = results.iter().filter_map(|result| Some((labels(&result["metric"]), number(&result["value"])?)));
    let mut answer: Answer = series.collect();
    answer.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
    Ok(answer)
}

fn number(value: &Value) -> Option<f64> {
    value[1].as_str()?.parse().ok().filter(|number: &f64| !number.is_nan())
}

/// The first difference between two answers. Values may differ by a share of the larger one.
pub fn difference(one: &Answer, other: &Answer, tolerance: f64) -> Option<String> {
    if let Some((labels, value)) = one.iter().find(|(labels, _)| !has(other, labels)) {
        return Some(format!("only in Prometheus: {labels} = {value}"));
    }
    if let Some((labels, value)) = other.iter().find(|(labels, _)| !has(one, labels)) {
        return Some(format!("only in the store: {labels} = {value}"));
    }
    if one.len() != other.len() {
        return Some(format!("{} series and {}", one.len(), other.len()));
    }
    // `total_cmp`, because the difference of two infinite values is NaN.
    let differs = |one: f64, other: f64| one.total_cmp(&other).is_ne() && (one - other).abs() > tolerance * one.abs().max(other.abs());
    let found = one.iter().zip(other).find(|((_, one), (_, other))| differs(*one, *other));
    found.map(|((labels, one), (_, other))| format!("{labels}: {one} and {other}"))
}

fn has(answer: &Answer, labels: &str) -> bool {
    answer.iter().any(|(found, _)| found == labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_of_the_way_and_missing_values_do_not_count() {
        let answer = |metric: Value, value: &str| {
            read(&json!({ "resultType": "vector", "result": [{ "metric": metric, "value": [1, value] }] })).unwrap()
        };
        let stored = answer(json!({ "__name__": "up", "cluster": "a", "environment": "e", "job": "b" }), "1");
        assert_eq!(difference(&answer(json!({ "job": "b" }), "1"), &stored, 0.0), None);
        assert!(answer(json!({}), "NaN").is_empty());
        assert_eq!(read(&json!({ "resultType": "scalar", "result": [1, "2"] })).unwrap(), [("scalar".to_owned(), 2.0)]);
    }

    #[test]
    fn another_value_and_another_series_are_named() {
        let answer = |labels: &str, value| vec![(labels.to_owned(), value)];
        assert_eq!(difference(&answer("a", 1.0), &answer("a", 1.04), 0.05), None);
        assert!(difference(&answer("a", 1.0), &answer("a", 1.06), 0.05).unwrap().contains("1.06"));
        assert!(difference(&answer("a", 1.0), &answer("b", 1.0), 1.0).unwrap().contains("only in Prometheus: a"));
        assert_eq!(difference(&answer("a", f64::INFINITY), &answer("a", f64::INFINITY), 0.0), None);
    }
}
