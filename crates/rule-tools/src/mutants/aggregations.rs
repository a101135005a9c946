//! Removes aggregations, or replaces them with others. The module `labels` removes their labels.

use super::edit::Edit;
use super::tokens::Token;

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let (Some(others), Some(body)) = (others(token.text), body(&tokens[at + 1..])) else { continue };
        edits.push(Edit::new(token.start..body, ""));
        edits.extend(others.iter().map(|other| Edit::of(token, *other)));
    }
    edits
}

fn others(aggregation: &str) -> Option<&'static [&'static str]> {
    match aggregation {
        "sum" | "avg" | "min" => Some(&["max"]),
        "max" => Some(&["min"]),
        "count" => Some(&["sum"]),
        // The rules use `group` only to test for existence, so every other aggregation would give the same answer.
        "group" => Some(&[]),
        _ => None,
    }
}

/// The byte index of the bracket that opens the aggregated expression.
fn body(after: &[Token]) -> Option<usize> {
    let clause = if after.first().is_some_and(|token| token.is("by") || token.is("without")) {
        after.iter().position(|token| token.is(")"))? + 1
    } else {
        0
    };
    after.get(clause).filter(|token| token.is("(")).map(|token| token.start)
}

#[cfg(test)]
mod tests {
    use super::super::edit::mutated;
    use super::*;

    #[test]
    fn an_aggregation_is_removed_with_its_labels_or_replaced() {
        assert_eq!(mutated(edits, "sum by (a, b) (c)"), ["(c)", "max by (a, b) (c)"]);
        assert_eq!(mutated(edits, "min(c) == 0"), ["(c) == 0", "max(c) == 0"]);
    }
}
