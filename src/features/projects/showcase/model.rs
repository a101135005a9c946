//! A project in the showcase, as the store reads it and the cache keeps it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::paging::Moment;

/// A published project. Everybody may read it, without a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Identifier of the project. Clients see it only within entity tags and cursors.
    pub id: Uuid,
    /// Version of the project. Clients see it only within entity tags.
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
    /// The cursor of the entry: the showcase is sorted by time of publication.
    #[must_use]
    pub fn cursor(&self) -> Moment {
        Moment { at: self.published_at, id: self.id }
    }

    /// The entity tag of the entry. The tag contains the identifier, because another project may later have the same slug and version.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{}-{}", self.id.simple(), self.version)
    }
}
