//! The facts of projects: each is one log line and, where it matters, one count.

use uuid::Uuid;

use super::model::Role;
use crate::metrics::Metrics;

pub fn created(metrics: &Metrics, project: Uuid, owner: Uuid) {
    metrics.projects_created.increment(());
    tracing::info!(%project, %owner, "project created");
}

pub fn changed(project: Uuid, user: Uuid, version: i64) {
    tracing::info!(%project, %user, version, "project changed");
}

pub fn published(metrics: &Metrics, project: Uuid, user: Uuid) {
    metrics.projects_published.increment(());
    tracing::info!(%project, %user, "project published");
}

pub fn unpublished(project: Uuid, user: Uuid) {
    tracing::info!(%project, %user, "project unpublished");
}

pub fn deleted(project: Uuid, user: Uuid) {
    tracing::info!(%project, %user, "project deleted");
}

pub fn member_added(project: Uuid, member: Uuid, role: Role) {
    tracing::info!(%project, %member, role = role.as_str(), "member added");
}

pub fn member_removed(project: Uuid, member: Uuid) {
    tracing::info!(%project, %member, "member removed");
}
