//! A mutant: a rule with one mistake, and its description.

use crate::rules::Rule;

/// A rule with one mistake.
pub struct Mutant {
    /// The changed rule.
    pub rule: Rule,
    /// A description of the mistake. `trial` numbers equal descriptions of one rule.
    pub change: String,
}
