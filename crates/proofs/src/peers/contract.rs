//! Checks that targets give equivalent responses to each request: the same status and media type, JSON with the same keys and types, and an
//! `ETag` or `Location` header from all targets or from none. A target with other responses does other work, and its figures could not be
//! compared.

use anyhow::{Context, Result, ensure};
use devstack::http::{Answer, Client};
use serde_json::{Map, Value};

use super::fixture::{FOREIGN_PROJECT, PROJECT};
use super::target::{Name, Running};

/// A request and its expected status.
struct Question {
    method: &'static str,
    path: String,
    token: Token,
    body: Option<(&'static str, &'static str)>,
    status: u16,
}

#[derive(Clone, Copy)]
enum Token {
    None,
    Right,
    Unknown,
}

const JSON: &str = "application/json";

fn get(path: impl Into<String>, status: u16) -> Question {
    Question { method: "GET", path: path.into(), token: Token::Right, body: None, status }
}

fn post(body: (&'static str, &'static str), status: u16) -> Question {
    Question { method: "POST", path: "/api/projects".to_owned(), token: Token::Right, body: Some(body), status }
}

fn questions(name: Name) -> Vec<Question> {
    let mut all = vec![get("/health", 200)];
    if !name.is_full() {
        return all;
    }
    let (one, foreign) = (format!("/api/projects/{PROJECT}"), format!("/api/projects/{FOREIGN_PROJECT}"));
    for path in ["/api/auth/me", "/api/projects?limit=20", &one] {
        all.push(Question { token: Token::None, ..get(path, 401) });
        all.push(Question { token: Token::Unknown, ..get(path, 401) });
        // Twice: the second response may come from the cache.
        all.extend([get(path, 200), get(path, 200)]);
    }
    all.push(Question { token: Token::None, ..post((JSON, r#"{"name":"Nobody's"}"#), 401) });
    all.extend([
        get("/api/projects/01900000-0000-7000-8000-ffffffffffff", 404),
        get("/api/projects/none", 404),
        get(foreign, 404),
        get("/api/projects?limit=0", 400),
        get("/api/projects?limit=101", 400),
        get("/api/projects?limit=many", 400),
        get("/api/projects?cursor=none", 400),
        post((JSON, r#"{"name":"A project","description":"of the contract"}"#), 201),
        post((JSON, r#"{"name":"A project"}"#), 201),
        post((JSON, r#"{"name":""}"#), 422),
        post((JSON, r#"{"description":"without a name"}"#), 422),
        post((JSON, r#"{"name":"A project","colour":"red"}"#), 422),
        post((JSON, r#"{"name":7}"#), 422),
        post((JSON, "{"), 400),
        post(("text/plain", r#"{"name":"A project"}"#), 415),
    ]);
    all
}

/// The compared parts of a response.
#[derive(Debug, PartialEq)]
struct Comparable {
    question: String,
    status: u16,
    media_type: String,
    shape: Value,
    has_etag: bool,
    has_location: bool,
}

/// The responses of one target.
#[derive(Debug)]
pub struct Answers(Vec<Comparable>);

/// Sends all requests to a target, and fails at the first unexpected status. Then checks the pagination and the metrics of a target that
/// has all six routes.
pub fn ask(name: Name, running: &Running, token: &str) -> Result<Answers> {
    let client = Client::new();
    let unknown = token.chars().rev().collect::<String>();
    let mut answers = Vec::new();
    for Question { method, path, token: given, body, status } in questions(name) {
        let bearer = match given {
            Token::None => None,
            Token::Right => Some(format!("Bearer {token}")),
            Token::Unknown => Some(format!("Bearer {unknown}")),
        };
        let headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        let body = body.map(|(kind, text)| (kind, text.to_owned()));
        let question = format!("{method} {path} {}", body.as_ref().map_or_else(String::new, |(kind, text)| format!("{kind} {text}")));
        let answer = client.send_text(method, &format!("{}{path}", running.url), &headers, body)?;
        ensure!(answer.status == status, "{name} returned {} for {question}, not {status}: {}", answer.status, answer.body);
        answers.push(comparable(question, &answer).with_context(|| name.to_string())?);
    }
    if name.is_full() {
        check_pages(&client, running, token, name)?;
        check_metrics(&client, running, name)?;
    }
    Ok(Answers(answers))
}

fn comparable(question: String, answer: &Answer) -> Result<Comparable> {
    let media_type = answer.header("content-type").split(';').next().unwrap_or_default().to_owned();
    let mut shape = shape(&answer.json()?);
    if let Value::Object(fields) = &mut shape
        && answer.status >= 400
    {
        // The peers' problems have no `detail`.
        fields.remove("detail");
    }
    let (has_etag, has_location) = (!answer.header("etag").is_empty(), !answer.header("location").is_empty());
    Ok(Comparable { question, status: answer.status, media_type, shape, has_etag, has_location })
}

/// The keys and types of a value; of a list, only those of its first item.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(items) => Value::Array(items.first().map(shape).into_iter().collect()),
        Value::Object(fields) => Value::Object(fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect::<Map<_, _>>()),
    }
}

/// Checks that three pages hold 60 projects, from new to old, without repetitions.
fn check_pages(client: &Client, running: &Running, token: &str, name: Name) -> Result<()> {
    let bearer = format!("Bearer {token}");
    let mut ids: Vec<String> = Vec::new();
    let mut cursor = String::new();
    for _ in 0..3 {
        let url = format!("{}/api/projects?limit=20{cursor}", running.url);
        let page = client.send("GET", &url, &[("authorization", &bearer)], None)?.json()?;
        let items = page["items"].as_array().context("the page has no items")?;
        ids.extend(items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)));
        cursor = format!("&cursor={}", page["next_cursor"].as_str().with_context(|| format!("{name}: the page has no next_cursor"))?);
    }
    ensure!(ids.len() == 60 && ids.is_sorted_by(|newer, older| newer > older), "{name}: three pages are not 60 projects from new to old");
    Ok(())
}

/// Checks that `/metrics` counts requests.
fn check_metrics(client: &Client, running: &Running, name: Name) -> Result<()> {
    let answer = client.send("GET", &format!("{}/metrics", running.url), &[], None)?;
    let counts = |line: &str| line.contains("http_requests_total{") && !line.starts_with('#') && !line.ends_with(" 0");
    ensure!(answer.status == 200 && answer.body.lines().any(counts), "{name} counts no requests in /metrics ({})", answer.status);
    Ok(())
}

impl Answers {
    /// Fails at the first response that differs from the reference: the responses of the first target for which [`ask`] succeeded. A
    /// target with fewer routes has fewer requests to compare.
    pub fn compare(&self, name: Name, reference: &Self) -> Result<()> {
        for (here, there) in self.0.iter().zip(&reference.0) {
            ensure!(here == there, "{name} and the reference differ in the response to {}:\n  {here:?}\n  {there:?}", here.question);
        }
        Ok(())
    }

    /// The number of responses.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_shape_is_keys_and_types() {
        let value = json!({ "items": [{ "id": "a", "at": null }, { "other": 1 }], "next": false, "count": 2, "none": [] });
        let expected = json!({ "items": [{ "id": "string", "at": "null" }], "next": "boolean", "count": "number", "none": [] });
        assert_eq!(shape(&value), expected);
    }

    fn answers(shape: Value) -> Answers {
        let media_type = JSON.to_owned();
        Answers(vec![Comparable {
            question: "GET /health ".to_owned(),
            status: 200,
            media_type,
            shape,
            has_etag: false,
            has_location: false,
        }])
    }

    #[test]
    fn a_missing_key_is_a_difference() {
        let reference = answers(json!({ "status": "string", "uptime": "number" }));
        answers(json!({ "uptime": "number", "status": "string" })).compare(Name::Fastify, &reference).unwrap();
        let error = answers(json!({ "status": "string" })).compare(Name::Fastify, &reference).unwrap_err().to_string();
        assert!(error.starts_with("fastify and the reference differ in the response to GET /health"), "{error}");
    }
}
