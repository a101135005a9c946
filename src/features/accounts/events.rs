//! The events of accounts: each writes a log line, updates a metric, or both; ended sessions are also announced to all replicas. No log
//! line and no metric contains a network address, an e-mail address or a token.

use uuid::Uuid;

use super::model::EndedSession;
use crate::metrics::Metrics;
use crate::metrics::labels::{AuthEvent, AuthMethod, AuthStatus, MailTemplate};
use crate::realtime::{Realtime, Topic};

pub fn registered(metrics: &Metrics, user: Uuid) {
    metrics.users_registered.increment(());
    tracing::info!(%user, "user registered");
}

pub fn made_admin(user: Uuid) {
    tracing::warn!(%user, "admin role granted");
}

pub fn logged_in(metrics: &Metrics, user: Uuid, session: Uuid) {
    metrics.auth_attempts.increment((AuthMethod::Password, AuthStatus::Success));
    tracing::info!(%user, %session, "user logged in");
}

pub fn vouched_for(metrics: &Metrics, user: Uuid, session: Uuid) {
    metrics.auth_attempts.increment((AuthMethod::Oauth, AuthStatus::Success));
    tracing::info!(%user, %session, "user signed in through a platform");
}

pub fn not_vouched_for(metrics: &Metrics) {
    metrics.auth_attempts.increment((AuthMethod::Oauth, AuthStatus::Failure));
}

pub fn login_failed(metrics: &Metrics) {
    metrics.auth_attempts.increment((AuthMethod::Password, AuthStatus::Failure));
    tracing::info!("login failed");
}

pub fn login_throttled(metrics: &Metrics) {
    metrics.auth_attempts.increment((AuthMethod::Password, AuthStatus::Throttled));
    tracing::warn!("login throttled");
}

pub fn token_accepted(metrics: &Metrics) {
    metrics.auth_attempts.increment((AuthMethod::Token, AuthStatus::Success));
}

pub fn token_refused(metrics: &Metrics) {
    metrics.auth_attempts.increment((AuthMethod::Token, AuthStatus::Failure));
}

/// A mail with a link was requested, whether or not an account has the address.
pub fn mail_requested(metrics: &Metrics, event: AuthEvent) {
    metrics.auth_events.increment((event, AuthStatus::Success));
}

pub fn request_throttled(metrics: &Metrics, event: AuthEvent) {
    metrics.auth_events.increment((event, AuthStatus::Throttled));
    tracing::warn!(event = event.name(), "request throttled");
}

pub fn link_refused(metrics: &Metrics, event: AuthEvent) {
    metrics.auth_events.increment((event, AuthStatus::Failure));
    tracing::info!(event = event.name(), "link refused");
}

pub fn address_confirmed(metrics: &Metrics, user: Uuid) {
    metrics.auth_events.increment((AuthEvent::Confirmation, AuthStatus::Success));
    tracing::info!(%user, "address confirmed");
}

pub fn wrong_password(metrics: &Metrics, event: AuthEvent, user: Uuid) {
    metrics.auth_events.increment((event, AuthStatus::Failure));
    tracing::info!(%user, event = event.name(), "password refused");
}

/// A new password replaced the old one, by a reset or a change.
pub fn password_set(metrics: &Metrics, event: AuthEvent, user: Uuid) {
    metrics.auth_events.increment((event, AuthStatus::Success));
    tracing::info!(%user, event = event.name(), "password set");
}

pub fn code_refused(metrics: &Metrics, event: AuthEvent, user: Uuid) {
    metrics.auth_events.increment((event, AuthStatus::Failure));
    tracing::info!(%user, event = event.name(), "code refused");
}

pub fn code_accepted(metrics: &Metrics) {
    metrics.auth_events.increment((AuthEvent::SecondFactor, AuthStatus::Success));
}

pub fn second_factor_changed(metrics: &Metrics, user: Uuid) {
    metrics.auth_events.increment((AuthEvent::SecondFactorChange, AuthStatus::Success));
    tracing::info!(%user, "second factor changed");
}

pub fn second_factors_resealed(count: usize) {
    tracing::info!(count, "second factors sealed with the newest key");
}

pub fn account_deleted(metrics: &Metrics, user: Uuid) {
    metrics.auth_events.increment((AuthEvent::Deletion, AuthStatus::Success));
    tracing::info!(%user, "account deleted");
}

pub fn mail_sent(template: MailTemplate) {
    tracing::info!(template = template.name(), "mail sent");
}

pub fn mail_refused(template: MailTemplate) {
    tracing::info!(template = template.name(), "mail refused by the mail server");
}

/// Announces sessions that their user has ended. Every replica signs out the connected clients of these sessions.
pub fn sessions_ended(realtime: &Realtime, user: Uuid, ended: &[EndedSession]) {
    tracing::info!(%user, count = ended.len(), "sessions ended");
    let sessions: Vec<Uuid> = ended.iter().map(|session| session.id).collect();
    realtime.signal(Topic::SessionsEnded, &sessions);
}

pub fn sessions_counted(metrics: &Metrics, count: i64) {
    metrics.auth_sessions_active.set_count((), count);
}
