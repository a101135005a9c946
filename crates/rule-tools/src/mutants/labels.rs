//! Removes grouping and matching labels: a whole clause, such as `by (a, b)`, or one label of a clause.

use super::edit::Edit;
use super::tokens::{Kind, Token};

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (at, keyword) in tokens.iter().enumerate() {
        if !["by", "without", "on", "ignoring"].iter().any(|word| keyword.is(word)) || keyword.in_braces {
            continue;
        }
        let Some(length) = tokens[at..].iter().position(|token| token.is(")")) else { continue };
        let list = &tokens[at + 1..=at + length];
        let (opens, closes) = (list[0].start, list[list.len() - 1].end());
        edits.push(Edit::new(keyword.start..closes, ""));
        let labels: Vec<&str> = list.iter().filter(|token| token.kind == Kind::Word).map(|token| token.text).collect();
        // For an aggregation, `by ()` is the same as no clause, so the only label of a `by` is not removed separately.
        if labels.len() > 1 || !keyword.is("by") {
            edits.extend((0..labels.len()).map(|left_out| {
                let mut rest = labels.clone();
                rest.remove(left_out);
                Edit::new(opens..closes, format!("({})", rest.join(", ")))
            }));
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::super::edit::mutated;
    use super::*;

    #[test]
    fn labels_are_removed_together_and_one_by_one() {
        assert_eq!(mutated(edits, "sum by (a, b) (c)"), ["sum  (c)", "sum by (b) (c)", "sum by (a) (c)"]);
        assert_eq!(mutated(edits, "sum by (a) (c)"), ["sum  (c)"]);
        assert_eq!(mutated(edits, "a and on (b) c"), ["a and  c", "a and on () c"]);
    }
}
