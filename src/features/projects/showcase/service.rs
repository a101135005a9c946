//! The read operations of the showcase. The most frequent ones read through the cache.

use super::super::model::Project;
use super::super::service::{Inner, ProjectError, Projects};
use super::super::slug::Slug;
use super::model::Entry;
use super::store;
use crate::cache::Stale;
use crate::domain::paging::{Moment, PageRequest};
use crate::metrics::labels::CacheType;

/// Cache key of the first page. It cannot equal the key of a project, which begins with `slug`.
const FIRST_PAGE: &str = "first page";

impl Projects {
    /// One page of the showcase, newest publication first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn showcase(&self, page: PageRequest<Moment>) -> Result<Vec<Entry>, ProjectError> {
        let Inner { db, cache, .. } = self.inner();
        let load = async || store::published(&mut db.acquire().await?, page).await;
        if !page.is_default() {
            return Ok(load().await?);
        }
        let page = cache.get_or_load(CacheType::Showcase, FIRST_PAGE, async || load().await.map(Some)).await?;
        Ok(page.unwrap_or_default())
    }

    /// The project published under a slug. `slug` may be any text.
    ///
    /// # Errors
    /// When no such project is published, or the database fails.
    pub async fn published_as(&self, slug: &str) -> Result<Entry, ProjectError> {
        // No project is published under an invalid slug, so an invalid slug needs no lookup.
        let slug = Slug::parse(slug).map_err(|_| ProjectError::NoSuchProject)?;
        let Inner { db, cache, .. } = self.inner();
        let load = async || store::published_as(&mut db.acquire().await?, slug.as_str()).await;
        let entry = cache.get_or_load(CacheType::Showcase, &entry_id(slug.as_str()), load).await?;
        entry.ok_or(ProjectError::NoSuchProject)
    }
}

/// The showcase's cache entries that become stale when the project changes. A project that is not published has none.
pub fn stale(project: &Project) -> impl Iterator<Item = Stale> {
    let entries = project.is_published().then(|| [FIRST_PAGE.to_owned(), entry_id(&project.slug)]);
    entries.into_iter().flatten().map(|entry| Stale::new(CacheType::Showcase, entry))
}

/// Cache key of the project published under a slug.
fn entry_id(slug: &str) -> String {
    format!("slug {slug}")
}
