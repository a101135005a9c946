//! The expected answers of the API, and the time until an operation is done.

use std::time::Duration;

use anyhow::{Result, ensure};
use devstack::http::Answer;
use serde_json::Value;

/// Above the time of five attempts of a job, which a busy machine may need.
pub const OPERATION_LIMIT: Duration = Duration::from_mins(1);

/// The body of an answer that must have this status.
pub fn expect(answer: &Answer, status: u16, what: &str) -> Result<Value> {
    ensure!(answer.status == status, "{what}: {} instead of {status}: {}", answer.status, answer.body);
    answer.json()
}
