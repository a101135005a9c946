//! The types of the showcase.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::paging::Moment;

/// A published project, as everybody sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Identifier of the project; not exposed.
    pub id: Uuid,
    /// Version of the project; not exposed.
    pub version: i64,
    /// Name of the project.
    pub name: String,
    /// Slug in the project's URL.
    pub slug: String,
    /// Description of the project.
    pub description: String,
    /// Display name of the owner.
    pub owner: String,
    /// Time of publication.
    #[serde(with = "time::serde::rfc3339")]
    pub published_at: OffsetDateTime,
}

impl Entry {
    /// The entry's position in the order of the showcase.
    #[must_use]
    pub fn place(&self) -> Moment {
        Moment { at: self.published_at, id: self.id }
    }

    /// The entity tag of the entry's URL. It contains the project's identifier, because another project may get the slug later.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{}-{}", self.id.simple(), self.version)
    }
}
