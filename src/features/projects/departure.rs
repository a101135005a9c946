//! The projects and memberships of an account that is being deleted.

use uuid::Uuid;

use super::model::Project;
use super::service::{ProjectError, Projects};
use super::{events, showcase, store};
use crate::cache::{Invalidation, Stale};
use crate::db::{Conn, StoreError};
use crate::metrics::labels::CacheType;
use crate::realtime::Realtime;

/// The deleted projects and memberships, to be announced after the commit.
#[must_use]
pub struct Departed {
    owned: Vec<Uuid>,
    joined: Vec<Uuid>,
    stale: Invalidation,
    realtime: Realtime,
}

impl Projects {
    /// Locks, until the transaction ends, all projects of which the account is a member.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_all(&self, tx: &mut Conn, user: Uuid) -> Result<Vec<Project>, ProjectError> {
        Ok(store::lock_of_member(tx, user).await?)
    }

    /// Deletes the locked projects that the account owns, and its memberships in the others.
    ///
    /// # Errors
    /// `Store` with [`StoreError::Contended`] when the account has joined or created a project since the lock; when the database fails.
    pub async fn depart(&self, tx: &mut Conn, user: Uuid, locked: Vec<Project>) -> Result<Departed, ProjectError> {
        let now = store::lock_of_member(tx, user).await?;
        if now.iter().any(|project| !locked.iter().any(|known| known.id == project.id)) {
            return Err(ProjectError::Store(StoreError::Contended));
        }
        for project in &now {
            if project.owner_id == user {
                store::delete(tx, project.id).await?;
            } else {
                store::delete_member(tx, project.id, user).await?;
            }
        }
        let stale = now.iter().flat_map(move |project| {
            let shown = showcase::stale(project).filter(move |_| project.owner_id == user);
            std::iter::once(Stale::new(CacheType::Project, project.id.to_string())).chain(shown)
        });
        let stale = self.inner().cache.invalidate(tx, stale).await?;
        let (owned, joined): (Vec<_>, Vec<_>) = now.iter().partition(|project| project.owner_id == user);
        let ids = |projects: Vec<&Project>| projects.iter().map(|project| project.id).collect();
        Ok(Departed { owned: ids(owned), joined: ids(joined), stale, realtime: self.inner().realtime.clone() })
    }
}

impl Departed {
    /// Waits until no replica serves the deleted projects from its cache, and tells other members.
    pub async fn finish(self, user: Uuid) {
        self.stale.finish().await;
        for project in self.owned {
            events::deleted(&self.realtime, project, user);
        }
        for project in self.joined {
            events::member_removed(&self.realtime, project, user);
        }
    }
}
