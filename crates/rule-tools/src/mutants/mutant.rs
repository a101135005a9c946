//! A mutant: a rule with one change, and a description of the change.

use crate::rules::Rule;

/// A rule with one change.
pub struct Mutant {
    /// The changed rule.
    pub rule: Rule,
    /// A description of the change. `trial` numbers equal descriptions of one rule.
    pub change: String,
}
