//! Instant queries to a Prometheus. `panels/shown` has the range queries.

use anyhow::{Result, bail};
use devstack::http::{encoded, get};
use serde_json::Value;

/// The results of a query, as Prometheus writes them.
pub fn query(prometheus: &str, text: &str) -> Result<Vec<Value>> {
    query_at(prometheus, text, None)
}

/// The results of a query at a time in Unix seconds; `None` means now.
pub fn query_at(prometheus: &str, query: &str, time: Option<&str>) -> Result<Vec<Value>> {
    let time = time.map(|time| format!("&time={time}")).unwrap_or_default();
    let mut answer = get(&format!("{prometheus}/api/v1/query?query={}{time}", encoded(query)))?.json()?;
    match answer["data"]["result"].take() {
        Value::Array(results) => Ok(results),
        _ => bail!("{query}: {answer}"),
    }
}

/// The value of a query with at most one result; `None` without a result, or if the value is not finite, as after a division by zero.
pub fn value(prometheus: &str, text: &str) -> Result<Option<f64>> {
    let results = query(prometheus, text)?;
    let [result] = &results[..] else {
        return if results.is_empty() { Ok(None) } else { bail!("{text}: {} results instead of one", results.len()) };
    };
    Ok(number(result))
}

/// The value of a result, if it is a finite number.
fn number(result: &Value) -> Option<f64> {
    result["value"][1].as_str()?.parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_division_by_zero_is_no_value() {
        let result = |text: &str| json!({ "metric": {}, "value": [1.5, text] });
        assert_eq!(number(&result("0.25")), Some(0.25));
        assert_eq!(number(&result("NaN")), None);
        assert_eq!(number(&result("+Inf")), None);
    }
}
