//! The fault injection page: active faults and a form to start one. With `FAULTS` off, the page does not exist. A signed-in user who is
//! not an admin gets 404.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use time::OffsetDateTime;
use uuid::Uuid;

use super::frame::{Frame, StudioFrame, render};
use super::view::{Time, duration};
use crate::domain::{DriverOperation, FaultKind};
use crate::fault_injection::is_exempt_route;
use crate::fault_injection::{Effect, Fault, tables};
use crate::features::accounts::Role;
use crate::http::{ApiError, Code};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "faults.html")]
struct FaultsPage {
    frame: Frame,
    faults: Vec<FaultView>,
    /// The identifier of the next fault. Rendered into the form, so that a repeated submission starts only one fault.
    next_id: Uuid,
    kinds: Vec<Choice>,
    replicas: Vec<String>,
    routes: Vec<String>,
    tables: BTreeSet<&'static str>,
    operations: Vec<&'static str>,
}

/// An active fault.
struct FaultView {
    id: Uuid,
    kind: &'static str,
    /// The parameters of the fault, and its percentage if below 100.
    details: Vec<String>,
    /// A replica's name, or `all replicas`.
    replica: String,
    left: String,
    expires_at: Time,
}

impl From<Fault> for FaultView {
    fn from(Fault { id, replica, percent, effect, begun_at: _, expires_at }: Fault) -> Self {
        let left = (expires_at - OffsetDateTime::now_utc()).whole_seconds();
        let mut details = details(&effect);
        if percent < 100 {
            details.push(format!("{percent} %"));
        }
        Self {
            id,
            kind: effect.kind().name(),
            details,
            replica: replica.unwrap_or_else(|| "all replicas".to_owned()),
            left: duration(left.try_into().unwrap_or_default()),
            expires_at: expires_at.into(),
        }
    }
}

/// The parameters of a fault, in words.
fn details(effect: &Effect) -> Vec<String> {
    let at = |route: &Option<String>| route.clone().unwrap_or_else(|| "all routes".to_owned());
    match effect {
        Effect::Latency { delay_ms, route } => vec![format!("{delay_ms} ms"), at(route)],
        Effect::Error { status, route } => vec![status.to_string(), at(route)],
        Effect::Panic { route } => vec![at(route)],
        Effect::Memory { mebibytes } => vec![format!("{mebibytes} MiB")],
        Effect::Block { delay_ms } => vec![format!("{delay_ms} ms at a time")],
        Effect::Database { delay_ms, table } => vec![format!("{delay_ms} ms"), table.clone().unwrap_or_else(|| "all tables".to_owned())],
        Effect::Driver { delay_ms, operation } => vec![
            delay_ms.map_or_else(|| "fails".to_owned(), |delay| format!("{delay} ms")),
            operation.map_or("all calls", DriverOperation::name).to_owned(),
        ],
        Effect::DropEvent {} | Effect::Login {} | Effect::Task {} => Vec::new(),
    }
}

/// A kind of fault in the form.
struct Choice {
    name: &'static str,
    says: &'static str,
}

impl From<FaultKind> for Choice {
    fn from(kind: FaultKind) -> Self {
        let says = match kind {
            FaultKind::Latency => "handlers are slow",
            FaultKind::Error => "handlers return an error",
            FaultKind::Panic => "handlers panic",
            FaultKind::Memory => "the process holds memory",
            FaultKind::Block => "runtime workers are blocked",
            FaultKind::Database => "statements are slow",
            FaultKind::DropEvent => "socket events are dropped",
            FaultKind::Driver => "the environment driver fails or is slow",
            FaultKind::Login => "correct passwords are rejected, except for admins",
            FaultKind::Task => "a background task exits and shuts the replica down",
        };
        Self { name: kind.name(), says }
    }
}

/// Handles `GET /studio/faults`.
pub async fn faults(State(state): State<AppState>, StudioFrame { frame, user, .. }: StudioFrame) -> Result<Response, ApiError> {
    let service = state.faults.as_ref().filter(|_| user.role == Role::Admin).ok_or_else(|| ApiError::new(Code::NotFound))?;
    render(&FaultsPage {
        frame,
        faults: service.list().await?.into_iter().map(Into::into).collect(),
        next_id: Uuid::now_v7(),
        kinds: FaultKind::MEMBERS.iter().copied().map(Into::into).collect(),
        replicas: state.heartbeat.fleet().replicas.into_iter().map(|replica| replica.name).collect(),
        routes: service.routes().iter().filter(|route| !is_exempt_route(route)).cloned().collect(),
        tables: tables(),
        operations: DriverOperation::MEMBERS.iter().map(|operation| operation.name()).collect(),
    })
}
