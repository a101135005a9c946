//! Reverses comparisons, and moves the threshold itself to the other side.

use super::Edit;
use super::tokens::Token;

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let operators = tokens.iter().filter(|token| !token.in_braces);
    operators.flat_map(|token| others(token.text).iter().map(|other| Edit::of(token, *other))).collect()
}

fn others(operator: &str) -> &'static [&'static str] {
    match operator {
        ">" => &["<", ">="],
        "<" => &[">", "<="],
        ">=" => &["<", ">"],
        "<=" => &[">", "<"],
        "==" => &["!="],
        "!=" => &["=="],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::super::mutated;
    use super::*;

    #[test]
    fn a_comparison_is_turned_round_and_moved_to_the_limit() {
        assert_eq!(mutated(edits, "a{b!=\"c\"} > 1"), ["a{b!=\"c\"} < 1", "a{b!=\"c\"} >= 1"]);
        assert_eq!(mutated(edits, "a == 0"), ["a != 0"]);
    }
}
