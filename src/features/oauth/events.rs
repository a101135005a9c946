//! The events of sign-ins through platforms and of linked accounts: each writes a log line, increments a counter, or both. Log lines and
//! labels contain no token, state, subject or e-mail address.

use std::error::Error;

use uuid::Uuid;

use crate::domain::Platform;
use crate::metrics::Metrics;
use crate::metrics::labels::{Ending, OauthOperation};

pub fn begun(metrics: &Metrics, platform: Platform) {
    count(metrics, platform, OauthOperation::Start, Ending::Success);
}

pub fn not_begun(metrics: &Metrics, platform: Platform, reason: &(dyn Error + 'static)) {
    count(metrics, platform, OauthOperation::Start, Ending::Failure);
    tracing::info!(platform = platform.name(), error = reason, "failed to start sign-in or link");
}

pub fn signed_in(metrics: &Metrics, platform: Platform, user: Uuid) {
    count(metrics, platform, OauthOperation::Callback, Ending::Success);
    tracing::info!(platform = platform.name(), %user, "user authenticated by platform");
}

pub fn linked(metrics: &Metrics, platform: Platform, user: Uuid, account: Uuid) {
    count(metrics, platform, OauthOperation::Callback, Ending::Success);
    tracing::info!(platform = platform.name(), %user, %account, "account linked");
}

pub fn callback_refused(metrics: &Metrics, platform: Platform, reason: &(dyn Error + 'static)) {
    count(metrics, platform, OauthOperation::Callback, Ending::Failure);
    tracing::warn!(platform = platform.name(), error = reason, "sign-in or link refused");
}

pub fn unlinked(platform: Platform, user: Uuid, account: Uuid) {
    tracing::info!(platform = platform.name(), %user, %account, "account unlinked");
}

pub fn refreshed(metrics: &Metrics, platform: Platform, account: Uuid) {
    count(metrics, platform, OauthOperation::Refresh, Ending::Success);
    tracing::info!(platform = platform.name(), %account, "tokens refreshed");
}

pub fn not_refreshed(metrics: &Metrics, platform: Platform, account: Uuid, reason: &(dyn Error + 'static)) {
    count(metrics, platform, OauthOperation::Refresh, Ending::Failure);
    tracing::warn!(platform = platform.name(), %account, error = reason, "failed to refresh tokens");
}

pub fn renewed_token_refused(platform: Platform, account: Uuid) {
    tracing::warn!(platform = platform.name(), %account, "renewed token refused; account expired");
}

pub fn revoked(metrics: &Metrics, platform: Platform, account: Uuid) {
    count(metrics, platform, OauthOperation::Revoke, Ending::Success);
    tracing::info!(platform = platform.name(), %account, "tokens revoked");
}

pub fn not_revoked(metrics: &Metrics, platform: Platform, account: Uuid, reason: &str) {
    count(metrics, platform, OauthOperation::Revoke, Ending::Failure);
    tracing::warn!(platform = platform.name(), %account, reason, "failed to revoke tokens");
}

pub fn resealed(count: usize) {
    tracing::info!(count, "accounts re-sealed with the newest key or marked as expired");
}

/// Creates every series of the counter for a configured platform. Otherwise a series would be exported only after its first event.
pub fn touch(metrics: &Metrics, platform: Platform) {
    for operation in OauthOperation::MEMBERS {
        for ending in Ending::MEMBERS {
            metrics.oauth_operations.touch(&[platform.name(), operation.name(), ending.name()]);
        }
    }
}

fn count(metrics: &Metrics, platform: Platform, operation: OauthOperation, ending: Ending) {
    metrics.oauth_operations.with(&[platform.name(), operation.name(), ending.name()]).increment(1);
}
