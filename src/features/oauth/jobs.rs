//! The job that revokes unused tokens, such as those of an unlinked account. `revoke` handles it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store::StoredTokens;
use crate::domain::Platform;
use crate::jobs::NewJob;
use crate::metrics::labels::JobKind;

/// The payload of the job. The tokens are sealed, then encoded as Base64.
#[derive(Serialize, Deserialize)]
pub struct Revocation {
    pub platform: Platform,
    pub account: Uuid,
    pub access: String,
    pub refresh: Option<String>,
}

/// Creates the job for the tokens of one account.
pub fn revocation(platform: Platform, stored: &StoredTokens) -> NewJob {
    let refresh = stored.refresh.as_ref().map(|token| STANDARD.encode(token));
    NewJob::new(JobKind::TokenRevocation, &Revocation { platform, account: stored.id, access: STANDARD.encode(&stored.access), refresh })
}
