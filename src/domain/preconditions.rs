//! The preconditions of a request, and their evaluation against a version. `http::precondition` reads the headers, `entity_tag` parses
//! them.

use std::fmt::Display;

pub use super::entity_tag::{Malformed, TagList};

/// The preconditions of a request (RFC 9110, 13): `If-Match` lists the versions to which the request applies, `If-None-Match` the
/// versions that the client already has.
pub struct Conditions {
    if_match: Option<TagList>,
    if_none_match: Option<TagList>,
}

impl Conditions {
    /// The conditions of a request; `None` for a header that the client did not send.
    #[must_use]
    pub fn new(if_match: Option<TagList>, if_none_match: Option<TagList>) -> Self {
        Self { if_match, if_none_match }
    }

    /// Whether the client sent `If-Match`.
    #[must_use]
    pub fn names_a_version(&self) -> bool {
        self.if_match.is_some()
    }

    /// Whether the conditions allow a change of this version. A request without conditions is allowed.
    #[must_use]
    pub fn admit_change(&self, version: i64) -> bool {
        self.admit(version) && !self.client_has(version)
    }

    /// Whether `If-Match` allows a read of this version. Before a response to an allowed read, check [`Self::client_has`], too: if
    /// it returns true, the response needs no body.
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
