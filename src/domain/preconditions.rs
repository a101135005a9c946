//! The preconditions of a request, evaluated against a version. `entity_tag` parses them; `http::precondition` reads the headers.

use std::fmt::Display;

pub use super::entity_tag::{Malformed, TagList};

/// The preconditions of a request (RFC 9110, 13): the versions that it applies to, and the versions that the client already has.
pub struct Conditions {
    if_match: Option<TagList>,
    if_none_match: Option<TagList>,
}

impl Conditions {
    /// The parsed conditions; `None` where the client sent none.
    #[must_use]
    pub fn new(if_match: Option<TagList>, if_none_match: Option<TagList>) -> Self {
        Self { if_match, if_none_match }
    }

    /// Whether the client named the versions that the request applies to.
    #[must_use]
    pub fn names_a_version(&self) -> bool {
        self.if_match.is_some()
    }

    /// Whether the conditions allow a change to this version; without conditions they do.
    #[must_use]
    pub fn admit_change(&self, version: i64) -> bool {
        self.admit(version) && !self.client_has(version)
    }

    /// Whether `If-Match` allows a read of this version. See [`Self::client_has`] for versions that need not be sent again.
    #[must_use]
    pub fn admit(&self, version: impl Display) -> bool {
        self.if_match.as_ref().is_none_or(|tags| tags.matches_strongly(version))
    }

    /// Whether `If-None-Match` lists this version.
    #[must_use]
    pub fn client_has(&self, version: impl Display) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| tags.matches_weakly(version))
    }
}
