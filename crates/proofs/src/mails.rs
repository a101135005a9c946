//! The mails that the mail sink has received.

use anyhow::{Context, Result};
use devstack::http::get;
use serde_json::Value;

/// Every mail, in the order of arrival. `sink` is the address of the sink's page.
pub fn all(sink: &str) -> Result<Vec<Value>> {
    let answer = get(&format!("{sink}/email"))?.json()?;
    answer.as_array().cloned().context("the mail sink returned no list")
}

/// The mails that report firing alerts. The other mails report resolved alerts, or go to owners of accounts.
pub fn of_firing_alerts(sink: &str) -> Result<Vec<Value>> {
    let mut mails = all(sink)?;
    mails.retain(|mail| mail["subject"].as_str().is_some_and(|subject| subject.starts_with("[FIRING")));
    Ok(mails)
}
