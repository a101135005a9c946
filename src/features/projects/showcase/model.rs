//! What the showcase shows of a project.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::http::page::Moment;

/// A published project, as everybody sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Of the project: not shown.
    pub id: Uuid,
    /// Of the project: not shown.
    pub version: i64,
    /// Name of the project.
    pub name: String,
    /// Its part of the address.
    pub slug: String,
    /// What its members say of it.
    pub description: String,
    /// Display name of its owner.
    pub owner: String,
    /// When it entered the showcase.
    #[serde(with = "time::serde::rfc3339")]
    pub published_at: OffsetDateTime,
}

impl Entry {
    /// Where it is in the showcase.
    #[must_use]
    pub fn place(&self) -> Moment {
        Moment { at: self.published_at, id: self.id }
    }

    /// The version of what is shown at the address: with the project, because another one may get the slug.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{}-{}", self.id.simple(), self.version)
    }
}
