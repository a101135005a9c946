//! Range queries to Prometheus: the values of each series, as a graph would show them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use devstack::http::{encoded, get};
use serde_json::Value;

/// The timestamps and values of each series, by its labels in JSON. NaN counts as a missing value; infinite values are kept.
pub type Shown = BTreeMap<String, Vec<(f64, f64)>>;

/// The data of a query to the Prometheus at a URL between two times, one value per `step`.
pub fn query_range(prometheus: &str, query: &str, from: f64, to: f64, step: Duration) -> Result<Shown> {
    let path = format!("/api/v1/query_range?query={}&start={from}&end={to}&step={}", encoded(query), step.as_secs_f64());
    read(&get(&format!("{prometheus}{path}"))?.json()?)
}

/// The number of values that a label has in the series that match a selector.
pub fn values(prometheus: &str, series: &str, label: &str) -> Result<usize> {
    let answer = get(&format!("{prometheus}/api/v1/label/{label}/values?match[]={}", encoded(series)))?.json()?;
    let values = checked(&answer)?.as_array().context("Prometheus returned no list")?;
    Ok(values.len())
}

/// Subtracts from each bucket of a histogram the one below it: Prometheus' buckets are cumulative, and a heatmap shows each bucket alone.
pub fn per_bucket(buckets: &Shown) -> Result<Shown> {
    let mut histograms: BTreeMap<String, Vec<(f64, &String)>> = BTreeMap::new();
    for series in buckets.keys() {
        let mut labels: BTreeMap<String, String> = serde_json::from_str(series)?;
        let bound = labels.remove("le").with_context(|| format!("{series} is not a bucket"))?.parse()?;
        histograms.entry(format!("{labels:?}")).or_default().push((bound, series));
    }
    let mut per_bucket = Shown::new();
    for mut histogram in histograms.into_values() {
        histogram.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut below: &[(f64, f64)] = &[];
        for (_, series) in histogram {
            let points = &buckets[series];
            let at = |time: f64| below.iter().find(|(other, _)| other.total_cmp(&time).is_eq()).map_or(0.0, |(_, value)| *value);
            per_bucket.insert(series.clone(), points.iter().map(|(time, value)| (*time, value - at(*time))).collect());
            below = points;
        }
    }
    Ok(per_bucket)
}

/// The current time as a Unix timestamp in seconds.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn read(answer: &Value) -> Result<Shown> {
    let series = checked(answer)?["result"].as_array().context("Prometheus returned no series")?;
    let mut shown = Shown::new();
    for one in series {
        let points = one["values"].as_array().into_iter().flatten();
        let points = points.filter_map(|point| Some((point[0].as_f64()?, point[1].as_str()?.parse::<f64>().ok()?)));
        let points: Vec<(f64, f64)> = points.filter(|(_, value)| !value.is_nan()).collect();
        if !points.is_empty() {
            shown.insert(one["metric"].to_string(), points);
        }
    }
    Ok(shown)
}

fn checked(answer: &Value) -> Result<&Value> {
    if answer["status"] != "success" {
        bail!("{}", answer["error"].as_str().unwrap_or("Prometheus gave no reason"));
    }
    Ok(&answer["data"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nan_counts_as_missing_and_infinity_is_kept() {
        let answer = json!({ "status": "success", "data": { "resultType": "matrix", "result": [
            { "metric": { "a": "b" }, "values": [[1.5, "2"], [2.5, "NaN"], [3.5, "+Inf"]] },
            { "metric": {}, "values": [[1.5, "NaN"]] },
        ] } });
        let expected = [("{\"a\":\"b\"}".to_owned(), vec![(1.5, 2.0), (3.5, f64::INFINITY)])];
        assert_eq!(read(&answer).unwrap(), Shown::from(expected));
    }

    #[test]
    fn a_bucket_is_shown_without_those_below_it() {
        let bucket = |le: &str, route: &str, values: [f64; 2]| {
            (json!({ "le": le, "route": route }).to_string(), vec![(1.0, values[0]), (2.0, values[1])])
        };
        let together = [
            bucket("0.1", "/a", [1.0, 2.0]),
            bucket("10", "/a", [4.0, 2.0]),
            bucket("2", "/a", [3.0, 2.0]),
            bucket("+Inf", "/b", [7.0, 8.0]),
        ];
        let expected = [
            bucket("0.1", "/a", [1.0, 2.0]),
            bucket("10", "/a", [1.0, 0.0]),
            bucket("2", "/a", [2.0, 0.0]),
            bucket("+Inf", "/b", [7.0, 8.0]),
        ];
        assert_eq!(per_bucket(&Shown::from(together)).unwrap(), Shown::from(expected));
        assert!(per_bucket(&Shown::from([("{}".to_owned(), Vec::new())])).is_err());
    }

    #[test]
    fn a_query_error_contains_the_message_of_prometheus() {
        let answer = json!({ "status": "error", "errorType": "bad_data", "error": "no expression found in input" });
        assert_eq!(read(&answer).unwrap_err().to_string(), "no expression found in input");
    }
}
