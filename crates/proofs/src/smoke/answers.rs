//! Checks answers of the API, and defines the time limit of an operation.

use std::time::Duration;

use anyhow::{Result, ensure};
use devstack::http::Answer;
use serde_json::Value;

/// Time limit of an operation. It is longer than the five attempts that a job may need on a busy machine.
pub const OPERATION_LIMIT: Duration = Duration::from_mins(1);

/// The body of an answer that must have this status.
pub fn expect(answer: &Answer, status: u16, what: &str) -> Result<Value> {
    ensure!(answer.status == status, "{what}: {} instead of {status}: {}", answer.status, answer.body);
    answer.json()
}
