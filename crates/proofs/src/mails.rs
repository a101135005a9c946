//! The mails that the mail sink has received.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use devstack::http::get;
use serde_json::Value;

/// Every mail, in the order of arrival. `sink` is the address of the sink's page.
pub fn all(sink: &str) -> Result<Vec<Value>> {
    let answer = get(&format!("{sink}/email"))?.json()?;
    answer.as_array().cloned().context("the mail sink returned no list")
}

/// The mails that arrive from some moment on. Nothing deletes the earlier ones: the mail sink ends if a mail arrives during a deletion.
pub struct Inbox {
    sink: String,
    /// The identifiers of the earlier mails.
    earlier: BTreeSet<String>,
}

impl Inbox {
    /// All mails from now on. `sink` is the address of the sink's page.
    pub fn from_now(sink: String) -> Result<Self> {
        let earlier = all(&sink)?.iter().map(id).collect();
        Ok(Self { sink, earlier })
    }

    /// The mails, in the order of arrival.
    pub fn mails(&self) -> Result<Vec<Value>> {
        let mut mails = all(&self.sink)?;
        mails.retain(|mail| !self.earlier.contains(&id(mail)));
        Ok(mails)
    }
}

fn id(mail: &Value) -> String {
    mail["id"].as_str().unwrap_or_default().to_owned()
}

/// The mails that report firing alerts. The other mails report resolved alerts, or go to owners of accounts.
pub fn of_firing_alerts(sink: &str) -> Result<Vec<Value>> {
    let mut mails = all(sink)?;
    mails.retain(|mail| mail["subject"].as_str().is_some_and(|subject| subject.starts_with("[FIRING")));
    Ok(mails)
}
