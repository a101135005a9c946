//! A mutant: a rule with one change, and a description of the change.

use crate::rules::Rule;

/// A rule with one change.
pub struct Mutant {
    /// The changed rule.
    pub rule: Rule,
    /// A description of the change. `trial` appends a number if an earlier mutant of a rule with this name has the same description.
    pub change: String,
}
