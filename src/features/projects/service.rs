//! The rules of projects; `mod.rs` lists them.
//!
//! Reads of a single project use the cache. Changes read from the database, never from the cache. The transaction of a change also records
//! the cache entries that become stale. After the response to a change, no replica serves those entries.

use std::sync::Arc;

use tokio::sync::broadcast;
use uuid::Uuid;

use super::model::{Action, MAX_MEMBERS, Member, NewProject, Project, ProjectAccess, ProjectChange, Refused, Role};
use super::presence::Presence;
use super::slug::Slug;
use super::{events, showcase, store};
use crate::cache::{Cache, Invalidation, Lookup, Stale};
use crate::db::idempotency::{IdempotentRequest, Outcome, Refusal};
use crate::db::{Conn, Db, StoreError};
use crate::domain::paging::PageRequest;
use crate::domain::preconditions::Conditions;
use crate::domain::validation::FieldError;
use crate::features::accounts::{self, Accounts, User};
use crate::metrics::Metrics;
use crate::metrics::labels::CacheType;
use crate::realtime::Realtime;

/// Maximum number of slugs to try for a new project: first the slug of its name, then slugs with random endings.
const SLUG_TRIES: usize = 5;

/// Why an operation on a project failed.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The project does not exist, or the user must not learn that it does.
    #[error("there is no such project")]
    NoSuchProject,
    /// The project has no such member.
    #[error("there is no such member")]
    NoSuchMember,
    /// No account has the address.
    #[error("no account has this e-mail address")]
    NoSuchUser,
    /// The user may read the project, but the user's role does not allow the action.
    #[error("the user's role does not allow this")]
    Forbidden,
    /// The change is based on an older version.
    #[error("the project has changed since it was read")]
    Changed,
    /// The owner cannot be removed or get another role.
    #[error("the owner of a project cannot be removed or get another role")]
    OwnerRequired,
    /// The project has reached the maximum number of members.
    #[error("the project has reached the maximum number of members")]
    Full,
    /// Every slug that was tried is taken.
    #[error("no free slug was found")]
    NoSlug,
    /// Another project has the slug.
    #[error("the slug is taken")]
    SlugTaken,
    /// The project's current slug is not valid for publication, and the request contained no other slug.
    #[error("the slug is not valid for publication")]
    InvalidSlug(Vec<FieldError>),
    /// The slug of a published project cannot change.
    #[error("the project is published under another slug")]
    AlreadyPublished,
    /// The idempotency key is in use, belongs to a different request, or could not be looked up.
    #[error(transparent)]
    Repeated(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for ProjectError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(rule) if rule == "projects_slug_key" => Self::SlugTaken,
            error => Self::Store(error),
        }
    }
}

impl From<Refused> for ProjectError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Hidden => Self::NoSuchProject,
            Refused::Forbidden => Self::Forbidden,
        }
    }
}

/// The projects service; cheap to clone.
#[derive(Clone)]
pub struct Projects(Arc<Inner>);

/// The dependencies of [`Projects`].
pub struct Parts {
    /// Stores projects and their members.
    pub db: Db,
    /// Caches projects and the showcase.
    pub cache: Cache,
    /// Finds the accounts of new members.
    pub accounts: Accounts,
    /// Notifies clients and other replicas.
    pub realtime: Realtime,
    /// Records this feature's metrics.
    pub metrics: Metrics,
}

/// The state of [`Projects`].
pub(super) struct Inner {
    pub db: Db,
    pub cache: Cache,
    accounts: Accounts,
    pub realtime: Realtime,
    presence: Presence,
    metrics: Metrics,
}

impl Projects {
    /// Creates the service.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { db, cache, accounts, realtime, metrics } = parts;
        let presence = Presence::new(realtime.clone());
        Self(Arc::new(Inner { db, cache, accounts, realtime, presence, metrics }))
    }

    /// Presence of users in projects.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.0.presence
    }

    /// Returns every pair `(users[i], projects[i])` in which the project does not exist, or the user may not enter it.
    pub(super) async fn outsiders_among(&self, users: &[Uuid], projects: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        store::outsiders_among(&mut self.0.db.acquire().await?, users, projects).await
    }

    /// Subscribes to the invalidations of all caches, including the cache of projects.
    pub(super) fn invalidated(&self) -> broadcast::Receiver<Arc<[Stale]>> {
        self.0.cache.invalidated()
    }

    /// The service's state.
    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Creates a project that the user owns.
    pub(crate) async fn create(&self, user: &User, new: NewProject, request: Option<IdempotentRequest>) -> Result<Project, ProjectError> {
        let Inner { db, metrics, .. } = self.inner();
        let insert = async |conn: &mut Conn| insert_with_free_slug(conn, user.id, &new).await;
        let Outcome { result: project, is_replay } = match &request {
            // Each attempt to insert is a single statement, so it needs no transaction.
            None => Outcome { result: insert(&mut db.acquire().await?).await?, is_replay: false },
            request => db.begin().await?.commit_idempotent(request.as_ref(), insert).await?,
        };
        if !is_replay {
            events::created(metrics, project.id, user.id);
        }
        Ok(project)
    }

    /// One page of the projects of which the user is a member.
    pub(crate) async fn list(&self, user: &User, page: PageRequest) -> Result<Vec<ProjectAccess>, ProjectError> {
        Ok(store::of_member(&mut self.0.db.acquire().await?, user.id, page).await?)
    }

    /// A project that the user may read.
    pub(crate) async fn read(&self, user: &User, id: Uuid) -> Result<ProjectAccess, ProjectError> {
        self.access(user, id, Action::Read, self.lookup(id).await).await
    }

    /// As [`Self::read`], with the result of an earlier cache lookup.
    pub(super) async fn read_found(&self, user: &User, id: Uuid, lookup: Lookup) -> Result<ProjectAccess, ProjectError> {
        self.access(user, id, Action::Read, lookup).await
    }

    /// Checks whether the user may perform `action` on the project. Meant for reads, because the answer may come from the cache.
    ///
    /// # Errors
    /// When the project does not exist for the user, the user's role does not allow the action, or the database fails.
    pub async fn permit(&self, user: &User, id: Uuid, action: Action) -> Result<(), ProjectError> {
        self.access(user, id, action, self.lookup(id).await).await.map(drop)
    }

    async fn lookup(&self, id: Uuid) -> Lookup {
        let [lookup] = self.0.cache.lookup([(CacheType::Project, &id.to_string())]).await;
        lookup
    }

    async fn access(&self, user: &User, id: Uuid, action: Action, lookup: Lookup) -> Result<ProjectAccess, ProjectError> {
        let Inner { db, cache, .. } = self.inner();
        let load = async || store::roster(&mut db.acquire().await?, id).await;
        let roster = cache.found_or_load(lookup, load).await?;
        let access = roster.ok_or(ProjectError::NoSuchProject)?.access_of(user.id);
        access.allows(action, is_admin(user))?;
        Ok(access)
    }

    /// As [`Self::permit`], for writes. Takes a shared lock on the project until the transaction ends. The lock blocks changes of the
    /// project, but not other shared locks.
    ///
    /// # Errors
    /// As [`Self::permit`].
    pub async fn lock(&self, tx: &mut Conn, user: &User, id: Uuid, action: Action) -> Result<(), ProjectError> {
        self.lock_and_get_slug(tx, user, id, action).await.map(drop)
    }

    /// As [`Self::lock`]; returns the project's slug if the project is published.
    ///
    /// # Errors
    /// As [`Self::permit`].
    pub async fn lock_and_get_slug(&self, tx: &mut Conn, user: &User, id: Uuid, action: Action) -> Result<Option<String>, ProjectError> {
        let project = store::share(tx, id).await?;
        let ProjectAccess { project, .. } = access(tx, user, project, action).await?;
        Ok(project.is_published().then_some(project.slug))
    }

    /// Changes a project, if `conditions` allow this for the project's current version.
    pub(super) async fn change(
        &self,
        user: &User,
        id: Uuid,
        change: ProjectChange,
        conditions: &Conditions,
    ) -> Result<ProjectAccess, ProjectError> {
        let mut tx = self.0.db.begin().await?;
        let before = lock(&mut tx, user, id, Action::Change).await?;
        if !conditions.admit_change(before.project.version) {
            return Err(ProjectError::Changed);
        }
        if change.is_empty() {
            return Ok(before);
        }
        let project = store::update(&mut tx, id, &change).await?;
        let stale = self.invalidate_published(&mut tx, &before.project).await?;
        tx.commit().await?;
        stale.finish().await;
        let realtime = &self.0.realtime;
        events::changed(realtime, &project, user.id);
        if before.project.is_published() && !project.is_published() {
            events::unpublished(realtime, &project, user.id);
        }
        Ok(ProjectAccess { project, role: before.role })
    }

    /// Publishes a project under a new slug or its current one. Leaves a published project unchanged.
    pub(crate) async fn publish(&self, user: &User, id: Uuid, slug: Option<Slug>) -> Result<ProjectAccess, ProjectError> {
        let mut tx = self.0.db.begin().await?;
        let before = lock(&mut tx, user, id, Action::Manage).await?;
        if before.project.is_published() {
            let is_other = slug.is_some_and(|slug| slug.as_str() != before.project.slug);
            return if is_other { Err(ProjectError::AlreadyPublished) } else { Ok(before) };
        }
        let slug = slug.map_or_else(|| Slug::parse(&before.project.slug), Ok).map_err(ProjectError::InvalidSlug)?;
        let project = store::publish(&mut tx, id, &slug).await?;
        let stale = self.invalidate_published(&mut tx, &project).await?;
        tx.commit().await?;
        stale.finish().await;
        events::published(&self.0.metrics, &self.0.realtime, &project, user.id);
        Ok(ProjectAccess { project, role: before.role })
    }

    /// Removes a project from the showcase. Leaves an unpublished project unchanged.
    pub(super) async fn unpublish(&self, user: &User, id: Uuid) -> Result<ProjectAccess, ProjectError> {
        let mut tx = self.0.db.begin().await?;
        let before = lock(&mut tx, user, id, Action::Manage).await?;
        if !before.project.is_published() {
            return Ok(before);
        }
        let project = store::unpublish(&mut tx, id).await?;
        let stale = self.invalidate_published(&mut tx, &before.project).await?;
        tx.commit().await?;
        stale.finish().await;
        events::unpublished(&self.0.realtime, &project, user.id);
        Ok(ProjectAccess { project, role: before.role })
    }

    /// Deletes a project and everything in it, if `conditions` allow this for the project's current version.
    pub(super) async fn delete(&self, user: &User, id: Uuid, conditions: &Conditions) -> Result<(), ProjectError> {
        let mut tx = self.0.db.begin().await?;
        let before = lock(&mut tx, user, id, Action::Manage).await?;
        if !conditions.admit_change(before.project.version) {
            return Err(ProjectError::Changed);
        }
        store::delete(&mut tx, id).await?;
        let stale = self.invalidate_published(&mut tx, &before.project).await?;
        tx.commit().await?;
        stale.finish().await;
        events::deleted(&self.0.realtime, id, user.id);
        Ok(())
    }

    /// One page of the members of a project that the user may enter.
    pub(crate) async fn members(&self, user: &User, id: Uuid, page: PageRequest) -> Result<Vec<Member>, ProjectError> {
        self.permit(user, id, Action::Enter).await?;
        Ok(store::members(&mut self.0.db.acquire().await?, id, page).await?)
    }

    /// Adds a member, or changes a member's role.
    pub(crate) async fn add_member(
        &self,
        user: &User,
        id: Uuid,
        email: &str,
        role: Role,
        request: Option<IdempotentRequest>,
    ) -> Result<Member, ProjectError> {
        let mut tx = self.0.db.begin().await?;
        let access = lock(&mut tx, user, id, Action::Manage).await?;
        let mut put_as = None;
        let put = async |tx: &mut Conn| {
            let account = self.0.accounts.find_by_email(tx, email).await?.ok_or(ProjectError::NoSuchUser)?;
            if account.id == access.project.owner_id {
                return Err(ProjectError::OwnerRequired);
            }
            let is_new = store::role(tx, id, account.id).await?.is_none();
            if is_new && usize::try_from(store::count_members(tx, id).await?).is_ok_and(|count| count >= MAX_MEMBERS) {
                return Err(ProjectError::Full);
            }
            let added_at = store::put_member(tx, id, account.id, role).await?;
            put_as = Some((is_new, self.invalidate(tx, id).await?));
            Ok(Member { user_id: account.id, display_name: account.display_name, role, added_at })
        };
        let member = tx.commit_idempotent(request.as_ref(), put).await?.result;
        if let Some((is_new, stale)) = put_as {
            stale.finish().await;
            let put = if is_new { events::member_added } else { events::role_changed };
            put(&self.0.realtime, id, member.user_id, role);
        }
        Ok(member)
    }

    /// Removes a member. The owner and admins may remove every member except the owner; other members may remove only themselves.
    pub(super) async fn remove_member(&self, user: &User, id: Uuid, member: Uuid) -> Result<(), ProjectError> {
        let mut tx = self.0.db.begin().await?;
        let action = if member == user.id { Action::Read } else { Action::Manage };
        let access = lock(&mut tx, user, id, action).await?;
        if member == access.project.owner_id {
            return Err(ProjectError::OwnerRequired);
        }
        store::role(&mut tx, id, member).await?.ok_or(ProjectError::NoSuchMember)?;
        store::delete_member(&mut tx, id, member).await?;
        let stale = self.invalidate(&mut tx, id).await?;
        tx.commit().await?;
        stale.finish().await;
        events::member_removed(&self.0.realtime, id, member);
        Ok(())
    }

    async fn invalidate(&self, tx: &mut Conn, id: Uuid) -> Result<Invalidation, StoreError> {
        self.0.cache.invalidate(tx, [Stale::new(CacheType::Project, id.to_string())]).await
    }

    /// Invalidates every cache entry that depends on the project, including those of the showcase. To publish a project, the caller passes
    /// the state after the change; for any other change, the caller passes the state before it. If the project is published in
    /// that state, its slug is part of the key of the showcase's entry.
    async fn invalidate_published(&self, tx: &mut Conn, project: &Project) -> Result<Invalidation, StoreError> {
        let stale = [Stale::new(CacheType::Project, project.id.to_string())].into_iter().chain(showcase::stale(project));
        self.0.cache.invalidate(tx, stale).await
    }
}

/// Locks a project against concurrent changes, then checks whether the user may perform `action` on it.
async fn lock(tx: &mut Conn, user: &User, id: Uuid, action: Action) -> Result<ProjectAccess, ProjectError> {
    let project = store::lock(tx, id).await?;
    access(tx, user, project, action).await
}

/// The user's access to the project, if the project exists and the user may perform `action` on it.
async fn access(tx: &mut Conn, user: &User, project: Option<Project>, action: Action) -> Result<ProjectAccess, ProjectError> {
    let project = project.ok_or(ProjectError::NoSuchProject)?;
    let access = ProjectAccess { role: store::role(tx, project.id, user.id).await?, project };
    access.allows(action, is_admin(user))?;
    Ok(access)
}

async fn insert_with_free_slug(tx: &mut Conn, owner: Uuid, new: &NewProject) -> Result<Project, ProjectError> {
    let slug = Slug::of_name(&new.name);
    for attempt in 0..SLUG_TRIES {
        let candidate = if attempt == 0 { slug.clone() } else { slug.with_ending(rand::random()) };
        if let Some(project) = store::insert(tx, owner, new, &candidate).await? {
            return Ok(project);
        }
    }
    Err(ProjectError::NoSlug)
}

fn is_admin(user: &User) -> bool {
    user.role == accounts::Role::Admin
}
