//! The account page: the user's linked accounts and active sessions.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::frame::{Frame, StudioFrame, render};
use super::view::{self, Time};
use crate::features::accounts::SessionEntry;
use crate::features::oauth::{Account, Status};
use crate::http::ApiError;
use crate::http::extract::ApiQuery;
use crate::http::page::PageQuery;
use crate::platforms::Settings;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    frame: Frame,
    joined_at: Time,
    is_confirmed: bool,
    /// Whether the service sends mail.
    has_mail: bool,
    notice: Notice,
    linked: Vec<Linked>,
    /// Configured platforms that the user has not linked.
    offered: Vec<Offer>,
    devices: Vec<Device>,
    /// Whether `devices` is the first page of the user's sessions.
    is_first: bool,
    next: Option<String>,
}

/// A linked account on a platform.
struct Linked {
    id: Uuid,
    platform_id: &'static str,
    platform: &'static str,
    handle: String,
    scopes: String,
    status: &'static str,
    is_active: bool,
    expires_at: Option<Time>,
    created_at: Time,
}

impl From<Account> for Linked {
    fn from(account: Account) -> Self {
        let Account { id, platform, handle, scopes, status, expires_at, created_at, .. } = account;
        Self {
            id,
            platform_id: platform.name(),
            platform: view::platform(platform),
            handle,
            scopes: scopes.join(", "),
            status: status.as_str(),
            is_active: status == Status::Active,
            expires_at: expires_at.map(Into::into),
            created_at: created_at.into(),
        }
    }
}

/// A platform that the user can link.
struct Offer {
    id: &'static str,
    name: &'static str,
    sign_in: bool,
    post: bool,
}

impl From<&Settings> for Offer {
    fn from(Settings { platform, sign_in, post, .. }: &Settings) -> Self {
        Self { id: platform.name(), name: view::platform(*platform), sign_in: *sign_in, post: *post }
    }
}

/// An active session.
struct Device {
    id: Uuid,
    name: String,
    created_at: Time,
    last_seen_at: Time,
    expires_at: Time,
    /// Whether the session is the one that requested the page.
    is_this: bool,
}

impl Device {
    fn of(entry: SessionEntry, this: Uuid) -> Self {
        let SessionEntry { id, device, created_at, last_seen_at, expires_at } = entry;
        Self {
            id,
            name: if device.is_empty() { "Unnamed device".to_owned() } else { device },
            created_at: created_at.into(),
            last_seen_at: last_seen_at.into(),
            expires_at: expires_at.into(),
            is_this: id == this,
        }
    }
}

/// What has just happened, as a query parameter of the page.
#[derive(Deserialize)]
pub struct Notice {
    /// Present after a request for the mail that confirms the address. The value is ignored.
    requested: Option<String>,
    /// Present after a change of the password. The value is ignored.
    changed: Option<String>,
}

/// Handles `GET /studio/accounts`.
pub async fn accounts(
    State(state): State<AppState>,
    StudioFrame { frame, user, session }: StudioFrame,
    ApiQuery(query): ApiQuery<PageQuery>,
    ApiQuery(notice): ApiQuery<Notice>,
) -> Result<Response, ApiError> {
    let request = query.validate()?;
    let page = request.into_page(state.accounts.sessions(user.id, request).await?, |entry| entry.id, |entry| Device::of(entry, session));
    let linked = state.oauth.linked(user.id).await?;
    let is_linked = |settings: &&Settings| linked.iter().any(|account| account.platform == settings.platform);
    let offered = state.oauth.platforms().all().filter(|settings| !is_linked(settings)).map(Into::into).collect();
    render(&AccountsPage {
        frame,
        joined_at: user.created_at.into(),
        is_confirmed: user.email_confirmed,
        has_mail: state.accounts.sends_mail(),
        notice,
        linked: linked.into_iter().map(Into::into).collect(),
        offered,
        devices: page.items,
        is_first: request.is_first(),
        next: page.next_cursor,
    })
}
