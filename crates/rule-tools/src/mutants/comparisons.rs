//! Reverses comparisons, and includes or excludes the threshold itself.

use super::edit::Edit;
use super::tokens::Token;

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let operators = tokens.iter().filter(|token| !token.in_braces);
    operators.flat_map(|token| replacements(token.text).iter().map(|replacement| Edit::of(token, *replacement))).collect()
}

fn replacements(operator: &str) -> &'static [&'static str] {
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
    use super::super::edit::mutated;
    use super::*;

    #[test]
    fn a_comparison_is_reversed_or_includes_its_threshold() {
        assert_eq!(mutated(edits, "a{b!=\"c\"} > 1"), ["a{b!=\"c\"} < 1", "a{b!=\"c\"} >= 1"]);
        assert_eq!(mutated(edits, "a == 0"), ["a != 0"]);
    }
}
