//! The events of projects: each writes a log line and, where needed, increments a counter and notifies the project's subscribers.

use serde::Serialize;
use uuid::Uuid;

use super::model::{Project, Role};
use crate::metrics::Metrics;
use crate::metrics::labels::EventOut;
use crate::realtime::{Client, Realtime, Room, Topic};

pub fn created(metrics: &Metrics, project: Uuid, owner: Uuid) {
    metrics.projects_created.increment(());
    tracing::info!(%project, %owner, "project created");
}

pub fn changed(realtime: &Realtime, project: &Project, user: Uuid) {
    let Project { id, version, .. } = *project;
    announce(realtime, id, Change::Updated, Some(version));
    tracing::info!(project = %id, %user, version, "project changed");
}

pub fn published(metrics: &Metrics, realtime: &Realtime, project: &Project, user: Uuid) {
    metrics.projects_published.increment(());
    announce(realtime, project.id, Change::Published, Some(project.version));
    tracing::info!(project = %project.id, %user, "project published");
}

pub fn unpublished(realtime: &Realtime, project: &Project, user: Uuid) {
    announce(realtime, project.id, Change::Unpublished, Some(project.version));
    tracing::info!(project = %project.id, %user, "project unpublished");
}

pub fn deleted(realtime: &Realtime, project: Uuid, user: Uuid) {
    announce(realtime, project, Change::Deleted, None);
    realtime.signal(Topic::AccessChanged, &project);
    tracing::info!(%project, %user, "project deleted");
}

pub fn member_added(realtime: &Realtime, project: Uuid, member: Uuid, role: Role) {
    announce(realtime, project, Change::MemberAdded, None);
    tracing::info!(%project, %member, role = role.as_str(), "member added");
}

/// Clients receive the same event as for a new member.
pub fn role_changed(realtime: &Realtime, project: Uuid, member: Uuid, role: Role) {
    announce(realtime, project, Change::MemberAdded, None);
    tracing::info!(%project, %member, role = role.as_str(), "role of member changed");
}

pub fn member_removed(realtime: &Realtime, project: Uuid, member: Uuid) {
    announce(realtime, project, Change::MemberRemoved, None);
    realtime.signal(Topic::AccessChanged, &project);
    tracing::info!(%project, %member, "member removed");
}

/// Informs a client that its user may no longer enter the project. The client receives no further event about the project until it
/// subscribes again.
pub fn access_lost(client: &Client, project: Uuid) {
    let _slow = client.emit(EventOut::ProjectChanged, &Changed { project_id: project, change: Change::AccessLost, version: None });
    tracing::info!(%project, user = %client.identity().user, "subscription ended");
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Updated,
    Published,
    Unpublished,
    Deleted,
    MemberAdded,
    MemberRemoved,
    AccessLost,
}

#[derive(Serialize)]
struct Changed {
    project_id: Uuid,
    change: Change,
    /// The project's new version, if the project was updated, published or unpublished.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
}

fn announce(realtime: &Realtime, project: Uuid, change: Change, version: Option<i64>) {
    realtime.emit(&[Room::Project(project)], EventOut::ProjectChanged, &Changed { project_id: project, change, version });
}
