//! How the showcase is read; see the module.

use super::super::model::Project;
use super::super::service::{Parts, ProjectError, Projects};
use super::super::slug::Slug;
use super::model::Entry;
use super::store;
use crate::cache::Stale;
use crate::http::page::{Moment, Slice};
use crate::metrics::labels::CacheType;

/// The cache's name of the first page: no slug is one, with such a beginning or without.
const FIRST_PAGE: &str = "first page";

impl Projects {
    /// A part of the showcase, newest publication first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn showcase(&self, slice: Slice<Moment>) -> Result<Vec<Entry>, ProjectError> {
        let Parts { db, cache, .. } = self.parts();
        let load = async || store::published(&mut db.acquire().await?, slice).await;
        if !slice.is_usual() {
            return Ok(load().await?);
        }
        let page = cache.get_or_load(CacheType::Showcase, FIRST_PAGE, async || load().await.map(Some)).await?;
        Ok(page.unwrap_or_default())
    }

    /// The project that is published under a slug, which may be any text.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn published_as(&self, slug: &str) -> Result<Entry, ProjectError> {
        // What is no slug is nobody's, and neither the cache nor the store is troubled with it.
        let slug = Slug::parse(slug).map_err(|_| ProjectError::NoSuchProject)?;
        let Parts { db, cache, .. } = self.parts();
        let load = async || store::published_as(&mut db.acquire().await?, slug.as_str()).await;
        let entry = cache.get_or_load(CacheType::Showcase, &entry_id(slug.as_str()), load).await?;
        entry.ok_or(ProjectError::NoSuchProject)
    }
}

/// What a change of a published project makes untrue: nothing, when it is not published.
pub fn stale(project: &Project) -> impl Iterator<Item = Stale> {
    let entries = project.is_published().then(|| [FIRST_PAGE.to_owned(), entry_id(&project.slug)]);
    entries.into_iter().flatten().map(|entry| Stale::new(CacheType::Showcase, entry))
}

/// The cache's name of the project that is published under a slug.
fn entry_id(slug: &str) -> String {
    format!("slug {slug}")
}
