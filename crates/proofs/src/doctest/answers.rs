//! The shape of the answer that a document promises for a query: the line `Answer: …` below each block of `PromQL`. This file reads the line
//! and compares it with an answer. `queries` runs the queries.
//!
//! The line consists of what is returned, optionally the range of every value, and optionally one of two exceptions:
//!
//! | what is returned | the answer has |
//! | --- | --- |
//! | `a number` | one series |
//! | ``one series for each `a` and `b` `` | at least one series; each has both labels, and no two have the same values of them |
//! | `one series for each replica` | the same, for `instance`, with every replica that Prometheus scrapes and nothing else |
//! | ``at most 5 series with `a` `` | one to five series, each with the label |
//! | `nothing` | no series |
//!
//! A range is `between 0 and 1` or `of at least 0`. The exceptions are `or nothing`, and `after 7 days`: so much data must be stored before
//! there is an answer. Every value must be a finite number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use anyhow::{Context, Result, bail, ensure};
use regex_lite::Regex;
use serde_json::Value;

use super::documents::{Form, Snippet, text};
use super::fate::is_late;

const BEGINNING: &str = "Answer: ";
/// The form of an answer without its beginning.
const ANSWER: &str = concat!(
    r"^(?:(?P<number>a number)|(?P<replicas>one series for each replica)|one series for each (?P<each>`\w+`(?:(?:, | and )`\w+`)*)",
    r"|at most (?P<most>\d+) series with (?P<with>`\w+`(?:(?:, | and )`\w+`)*)|(?P<nothing>nothing))",
    r"(?:,? (?:each )?(?:between (?P<low>[0-9.]+) and (?P<high>[0-9.]+)|of at least (?P<least>[0-9.]+)))?",
    r"(?P<exception>, or nothing|, after \d+ (?:minutes|hours|days))?$"
);

static FORM: LazyLock<Regex> = LazyLock::new(|| Regex::new(ANSWER).expect("the expression is valid"));

/// The series of an answer.
#[derive(Debug, PartialEq)]
enum Subject {
    Nothing,
    Number,
    Replicas,
    /// One for each combination of the values of these labels.
    Each(Vec<String>),
    /// At most this number, each with these labels.
    UpTo(usize, Vec<String>),
}

/// A promised answer.
#[derive(Debug, PartialEq)]
pub struct Answer {
    subject: Subject,
    low: f64,
    high: f64,
    /// Whether there may also be no series.
    or_nothing: bool,
    /// Whether a new stack cannot answer yet.
    is_late: bool,
}

/// The answer stated below a block of `PromQL`; `None` if the snippet is no such block.
pub fn stated(snippet: &Snippet) -> Result<Option<Answer>> {
    if snippet.form != Form::Fenced("promql".to_owned()) {
        return Ok(None);
    }
    let answer = below(&text(&snippet.document)?, snippet.line).with_context(|| snippet.name())?;
    ensure!(answer.is_late == is_late(&snippet.text), "{}: only an answer that is listed in fate.rs comes `after …`", snippet.name());
    Ok(Some(answer))
}

/// The answer stated between the end of the block whose first line has this number and the next block or heading.
fn below(document: &str, line: usize) -> Result<Answer> {
    let after = document.lines().skip(line - 1).skip_while(|line| !line.starts_with("```")).skip(1);
    let mut section = after.take_while(|line| !line.starts_with("```") && !line.starts_with('#'));
    let answer = section.find_map(|line| line.strip_prefix(BEGINNING)).context("no line `Answer: …` follows the query")?;
    Answer::read(answer)
}

impl Answer {
    fn read(text: &str) -> Result<Self> {
        let text = text.strip_suffix('.').with_context(|| format!("the answer has no full stop: {text}"))?;
        let form = FORM.captures(text).with_context(|| format!("unknown form of an answer: {text}"))?;
        let part = |name: &str| form.name(name).map(|found| found.as_str());
        let subject = match (part("each"), part("most"), part("with")) {
            (Some(names), ..) => Subject::Each(labels(names)),
            (_, Some(count), Some(names)) => Subject::UpTo(count.parse()?, labels(names)),
            _ if part("number").is_some() => Subject::Number,
            _ if part("replicas").is_some() => Subject::Replicas,
            _ => Subject::Nothing,
        };
        let limit = |name, without| part(name).map_or(Ok(without), str::parse);
        let low = limit("low", limit("least", f64::NEG_INFINITY)?)?;
        let high = limit("high", f64::INFINITY)?;
        let is_late = part("exception").is_some_and(|exception| exception.contains("after"));
        Ok(Self { subject, low, high, or_nothing: is_late || part("exception").is_some(), is_late })
    }

    /// Fails if the results of a query have another shape. `replicas` are the instances that Prometheus scrapes.
    pub fn check(&self, results: &[Value], replicas: &BTreeSet<String>) -> Result<()> {
        for result in results {
            let value: f64 = result["value"][1].as_str().context("the result is no instant vector")?.parse()?;
            ensure!(value.is_finite() && (self.low..=self.high).contains(&value), "{} has the value {value}", result["metric"]);
        }
        let count = results.len();
        match &self.subject {
            _ if count == 0 && self.or_nothing => {}
            Subject::Nothing => ensure!(count == 0, "{count} series instead of nothing, such as {}", results[0]),
            Subject::Number => ensure!(count == 1, "{count} series instead of one"),
            Subject::Replicas => {
                let found = distinct(results, &["instance".to_owned()])?;
                let found: BTreeSet<String> = found.into_iter().flatten().collect();
                ensure!(found == *replicas, "{found:?} instead of every replica");
            }
            Subject::Each(labels) => {
                ensure!(count > 0, "nothing instead of series");
                distinct(results, labels)?;
            }
            Subject::UpTo(most, labels) => {
                ensure!((1..=*most).contains(&count), "{count} series instead of 1 to {most}");
                distinct(results, labels)?;
            }
        }
        Ok(())
    }
}

/// The names in a list such as `` `a`, `b` and `c` ``.
fn labels(names: &str) -> Vec<String> {
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The values of these labels in each result; fails if a result lacks a label or if two results agree in all of them.
fn distinct(results: &[Value], labels: &[String]) -> Result<BTreeSet<Vec<String>>> {
    let mut found = BTreeMap::new();
    for result in results {
        let value = |label: &String| result["metric"][label].as_str().map(str::to_owned);
        let values: Option<Vec<String>> = labels.iter().map(value).collect();
        let values = values.with_context(|| format!("{} lacks a label of {labels:?}", result["metric"]))?;
        if let Some(other) = found.insert(values, &result["metric"]) {
            bail!("{} and {other} have the same values of {labels:?}", result["metric"]);
        }
    }
    Ok(found.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::documents::snippets;
    use super::*;

    #[test]
    fn every_query_states_its_answer() {
        assert!(snippets().unwrap().iter().filter(|snippet| stated(snippet).unwrap().is_some()).count() >= 40);
    }

    fn series(labels: &Value, value: &str) -> Value {
        json!({ "metric": labels, "value": [1.5, value] })
    }

    fn fits(answer: &str, results: &[Value]) -> bool {
        let replicas = ["a:1", "b:2"].map(str::to_owned).into();
        Answer::read(answer).unwrap().check(results, &replicas).is_ok()
    }

    #[test]
    fn an_answer_of_another_shape_is_refused() {
        let of = |name: &str, instance: &str, value: &str| series(&json!({ "route": name, "instance": instance }), value);
        let (a, b, c) = (of("/", "a:1", "0.5"), of("/x", "b:2", "1"), of("/", "c:3", "2"));
        let both = [a.clone(), b.clone()];
        assert!(fits("a number.", &both[..1]) && !fits("a number.", &both) && !fits("a number.", &[]));
        assert!(fits("nothing.", &[]) && !fits("nothing.", &both));
        assert!(fits("one series for each replica.", &both) && !fits("one series for each replica.", &both[..1]));
        assert!(!fits("one series for each replica.", &[a.clone(), b.clone(), c.clone()]));
        assert!(fits("one series for each `route`.", &both) && !fits("one series for each `route`.", &[]));
        assert!(!fits("one series for each `route`.", &[a.clone(), c.clone()]), "twice the same route");
        assert!(fits("one series for each `route` and `instance`.", &[a.clone(), c]));
        assert!(!fits("one series for each `status`.", &both), "a missing label");
        assert!(fits("at most 2 series with `route`.", &both) && !fits("at most 1 series with `route`.", &both));
        assert!(fits("a number, or nothing.", &[]) && !fits("a number, or nothing.", &both));
        assert!(fits("a number, after 7 days.", &[]));
    }

    #[test]
    fn a_value_out_of_its_range_is_refused() {
        let of = |value: &str| [series(&json!({}), value)];
        assert!(fits("a number between 0 and 1.", &of("0.5")) && !fits("a number between 0 and 1.", &of("1.1")));
        assert!(fits("a number of at least 0.", &of("7")) && !fits("a number of at least 0.", &of("-1")));
        assert!(!fits("a number.", &of("NaN")) && !fits("a number.", &of("+Inf")));
        assert!(!fits("one series for each `route`, each between 0 and 1.", &[series(&json!({ "route": "/" }), "3")]));
    }

    #[test]
    fn an_unknown_form_is_an_error() {
        for wrong in ["", "a number", "some series.", "a number or so.", "one series for each route.", "a number between 0 and x."] {
            assert!(Answer::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_answer_stands_below_its_query() {
        let document = "# a\n```promql\nup\n```\n\nText.\nAnswer: nothing.\n\n```promql\nx\n```\n## b\nAnswer: a number.\n";
        assert_eq!(below(document, 3).unwrap().subject, Subject::Nothing);
        assert!(below(document, 10).is_err(), "the answer of another chapter");
    }
}
