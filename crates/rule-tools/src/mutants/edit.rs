//! One change to an expression: the replaced bytes, and their replacement.

use std::ops::Range;

use super::tokens::Token;
#[cfg(test)]
use super::tokens::tokens;

/// One change to an expression.
pub struct Edit {
    /// The range of the replaced bytes.
    pub range: Range<usize>,
    /// The replacement.
    pub with: String,
}

impl Edit {
    pub fn new(range: Range<usize>, with: impl Into<String>) -> Self {
        Self { range, with: with.into() }
    }

    pub fn of(token: &Token, with: impl Into<String>) -> Self {
        Self::new(token.range(), with)
    }

    /// The expression with the change.
    pub fn apply(&self, expression: &str) -> String {
        format!("{}{}{}", &expression[..self.range.start], self.with, &expression[self.range.end..])
    }
}

/// A kind of change: a function that returns every such change to an expression.
pub type Kind = fn(&[Token]) -> Vec<Edit>;

/// The expressions that a kind of change makes from one expression.
#[cfg(test)]
pub fn mutated(kind: Kind, expression: &str) -> Vec<String> {
    kind(&tokens(expression)).iter().map(|edit| edit.apply(expression)).collect()
}
