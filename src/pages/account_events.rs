//! The page of the account's sign-ins and changes of credentials.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::frame::{Frame, StudioFrame, render};
use super::view::Time;
use crate::features::accounts::{AuditEntry, AuditEvent};
use crate::http::ApiError;
use crate::http::extract::ApiQuery;
use crate::http::page::PageQuery;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "account_events.html")]
struct EventsPage {
    frame: Frame,
    events: Vec<Event>,
    is_first: bool,
    next: Option<String>,
}

struct Event {
    name: &'static str,
    network: String,
    at: Time,
}

impl From<AuditEntry> for Event {
    fn from(AuditEntry { event, network, created_at, .. }: AuditEntry) -> Self {
        Self { name: name(event), network: network.unwrap_or_default(), at: created_at.into() }
    }
}

const fn name(event: AuditEvent) -> &'static str {
    match event {
        AuditEvent::SignIn => "Signed in with the password",
        AuditEvent::SignInFailed => "Wrong password or code at a sign-in",
        AuditEvent::PlatformSignIn => "Signed in through a platform",
        AuditEvent::PlatformLinked => "Account of a platform linked",
        AuditEvent::PlatformUnlinked => "Account of a platform unlinked",
        AuditEvent::AddressConfirmed => "Address confirmed",
        AuditEvent::PasswordReset => "Password reset by mail",
        AuditEvent::PasswordChanged => "Password changed",
        AuditEvent::SecondFactorOn => "Second factor activated",
        AuditEvent::SecondFactorOff => "Second factor removed",
        AuditEvent::RecoveryCodeUsed => "Recovery code used",
        AuditEvent::AccountDeleted => "Account deleted",
    }
}

/// Handles `GET /studio/accounts/events`.
pub async fn account_events(
    State(state): State<AppState>,
    StudioFrame { frame, user, .. }: StudioFrame,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Response, ApiError> {
    let request = query.validate()?;
    let page = request.into_page(state.accounts.events(user.id, request).await?, |entry| entry.id, Event::from);
    render(&EventsPage { frame, events: page.items, is_first: request.is_first(), next: page.next_cursor })
}
