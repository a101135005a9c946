//! Replaces division with multiplication, addition with subtraction, and the reverse.

use super::Edit;
use super::tokens::{Kind, Token};

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let other = |operator: &str| match operator {
        "/" => Some("*"),
        "*" => Some("/"),
        "+" => Some("-"),
        "-" => Some("+"),
        _ => None,
    };
    tokens.iter().filter(|token| token.kind == Kind::Symbol).filter_map(|token| Some(Edit::of(token, other(token.text)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::mutated;
    use super::*;

    #[test]
    fn operators_become_their_inverse() {
        assert_eq!(mutated(edits, "a{r=\"/\"} / (b + c)"), ["a{r=\"/\"} * (b + c)", "a{r=\"/\"} / (b - c)"]);
    }
}
