//! Creates and reads posts by the rules that `mod.rs` lists. `deliver` sends posts to platforms, `insights` reads figures.

use std::sync::Arc;

use url::Url;
use uuid::Uuid;

use super::jobs::Deliver;
use super::model::{NewPost, Post};
use super::{events, store};
use crate::cache::Cache;
use crate::db::idempotency::{IdempotentRequest, Outcome, Refusal};
use crate::db::{Conn, Db, StoreError};
use crate::domain::Platform;
use crate::domain::paging::PageRequest;
use crate::domain::validation::FieldError;
use crate::features::accounts::User;
use crate::features::oauth::{Oauth, Status};
use crate::features::projects::{Action, ProjectError, Projects};
use crate::jobs::Queue;
use crate::metrics::Metrics;
use crate::platforms::{Platforms, Settings};
use crate::realtime::Realtime;

/// The reason why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    #[error("there is no such post")]
    NoSuchPost,
    #[error("the project is not published")]
    NotPublished,
    #[error("the text exceeds the limit of a platform")]
    Invalid(Vec<FieldError>),
    #[error("no {} account is linked", .0.name())]
    NotLinked(Platform),
    #[error("the {} account must be linked again", .0.name())]
    LinkExpired(Platform),
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Repeated(#[from] Refusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The posts service; cheap to clone.
#[derive(Clone)]
pub struct Posts(Arc<Parts>);

/// The dependencies of [`Posts`].
pub struct Parts {
    /// Connections for requests.
    pub db: Db,
    /// Connections for jobs.
    pub background: Db,
    /// Caches insights.
    pub cache: Cache,
    /// Projects that posts are about.
    pub projects: Projects,
    /// Provides the users' tokens.
    pub oauth: Oauth,
    /// Platforms to post on.
    pub platforms: Platforms,
    /// Queue for deliveries.
    pub queue: Queue,
    /// Base of links to projects.
    pub public_url: Url,
    /// Notifies authors.
    pub realtime: Realtime,
    /// Records this feature's metrics.
    pub metrics: Metrics,
}

impl Posts {
    /// Creates the service.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The service's dependencies.
    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// The settings of a platform, if posting on it is available.
    pub(super) fn offered(&self, platform: Platform) -> Option<&Settings> {
        self.parts().platforms.get(platform).filter(|settings| settings.post)
    }

    /// Stores a post and enqueues its deliveries.
    pub(super) async fn create(&self, user: &User, new: NewPost, request: Option<IdempotentRequest>) -> Result<Post, PostError> {
        let Parts { db, projects, oauth, queue, metrics, .. } = self.parts();
        let mut tx = db.begin().await?;
        let slug = projects.lock_and_get_slug(&mut tx, user, new.project, Action::Change).await?;
        let insert = async |tx: &mut Conn| {
            let link = self.link(&slug.ok_or(PostError::NotPublished)?);
            new.check_length(&link).map_err(PostError::Invalid)?;
            let accounts = oauth.accounts(tx, user.id).await?;
            for platform in &new.platforms {
                match accounts.iter().find(|account| account.platform == *platform).map(|account| account.status) {
                    Some(Status::Active) => {}
                    Some(Status::Expired) => return Err(PostError::LinkExpired(*platform)),
                    None => return Err(PostError::NotLinked(*platform)),
                }
            }
            let post = store::insert(tx, user.id, &new, &link).await?;
            for platform in &new.platforms {
                queue.enqueue(tx, &Deliver::job(post.id, *platform)).await?;
            }
            Ok(post)
        };
        let Outcome { result: post, is_replay } = tx.commit_idempotent(request.as_ref(), insert).await?;
        if !is_replay {
            queue.wake();
            events::created(metrics, &post);
        }
        Ok(post)
    }

    /// Public URL of a published project.
    fn link(&self, slug: &str) -> String {
        format!("{}/projects/{slug}", self.parts().public_url.as_str().trim_end_matches('/'))
    }

    /// One page of the user's own posts.
    pub(crate) async fn list(&self, user: &User, page: PageRequest) -> Result<Vec<Post>, PostError> {
        Ok(store::of_author(&mut self.parts().db.acquire().await?, user.id, page).await?)
    }

    /// Reads a post. Only its author and users who may [enter](Action::Enter) its project can read it.
    pub(super) async fn read(&self, user: &User, id: Uuid) -> Result<Post, PostError> {
        let Parts { db, projects, .. } = self.parts();
        let post = store::find(&mut db.acquire().await?, id).await?.ok_or(PostError::NoSuchPost)?;
        if post.author_id != user.id {
            projects.permit(user, post.project_id, Action::Enter).await.map_err(|error| match error {
                // Users who are not members of a public project must not learn that the post exists.
                ProjectError::Forbidden => PostError::NoSuchPost,
                error => error.into(),
            })?;
        }
        Ok(post)
    }
}
