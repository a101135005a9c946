//! The job that sends a mail. `deliver` handles it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::jobs::NewJob;
use crate::metrics::labels::JobKind;

/// The payload of the job: a mail to the owner of an account.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "template", rename_all = "snake_case")]
pub enum Mail {
    /// The link that confirms the account's address.
    Confirmation { user: Uuid },
    /// The link that sets a new password, if an account has the address. The job looks the account up, so that the request takes the same
    /// time whether or not the account exists.
    PasswordReset { email: String },
    /// The news that the password was reset or changed.
    PasswordChanged { user: Uuid },
}

impl Mail {
    /// The job that sends this mail.
    pub fn job(&self) -> NewJob {
        NewJob::new(JobKind::AccountMail, self)
    }
}
