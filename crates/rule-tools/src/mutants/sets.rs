//! Replaces `and` with `or` or `unless`. Replaces `or` and `unless` with `and`.

use super::edit::Edit;
use super::tokens::Token;

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let others = |word: &str| match word {
        "and" => vec!["or", "unless"],
        "or" | "unless" => vec!["and"],
        _ => Vec::new(),
    };
    tokens.iter().flat_map(|token| others(token.text).into_iter().map(|other| Edit::of(token, other))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::edit::mutated;
    use super::*;

    #[test]
    fn set_operators_are_replaced() {
        assert_eq!(mutated(edits, "a and on () b"), ["a or on () b", "a unless on () b"]);
        assert_eq!(mutated(edits, "a or b"), ["a and b"]);
        assert_eq!(mutated(edits, "a unless b"), ["a and b"]);
    }
}
