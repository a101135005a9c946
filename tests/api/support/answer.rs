//! A response, read to the end, and the assertions that every problem must pass.

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Status, headers and body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Asserts the status and returns the response.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Asserts a problem with this status and code, whose `trace_id` equals the response's `x-request-id`.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.json()["code"].as_str()), (status, Some(code)), "{}", self.text());
        let problem = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("about:blank#{code}"));
        assert_eq!(problem["trace_id"], self.header("x-request-id"));
        assert!(!self.header("x-request-id").is_empty());
        assert!(problem["instance"].as_str().is_some_and(|path| path.starts_with('/')), "{problem}");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        assert_eq!(self.header("www-authenticate").is_empty(), status != 401);
        self
    }

    /// The code of a field's error in a 422 response.
    pub fn field_code(&self, field: &str) -> Option<String> {
        let problem = self.json();
        let found = problem["errors"].as_array()?.iter().find(|error| error["field"] == field)?;
        found["code"].as_str().map(str::to_owned)
    }
}

/// Sends a request and reads the whole response.
pub trait Ask {
    async fn answer(self) -> Answer;
    /// As [`Ask::answer`], for requests that may receive no response.
    async fn try_answer(self) -> reqwest::Result<Answer>;
}

impl Ask for RequestBuilder {
    async fn answer(self) -> Answer {
        self.try_answer().await.expect("the request failed")
    }

    async fn try_answer(self) -> reqwest::Result<Answer> {
        let response = self.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
    }
}
