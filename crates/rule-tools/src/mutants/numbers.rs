//! Doubles and halves the numbers in comparisons and arithmetic, and replaces 0 with 1.

use super::edit::Edit;
use super::tokens::{Kind, Token};

const OPERATORS: [&str; 10] = [">", "<", ">=", "<=", "==", "!=", "+", "-", "*", "/"];

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Number) {
        let neighbours = [at.checked_sub(1).and_then(|before| tokens.get(before)), tokens.get(at + 1)];
        // A number without an operator next to it is an argument of a function.
        let counts = neighbours.into_iter().flatten().any(|token| token.is_operator(&OPERATORS));
        if let (true, Ok(number)) = (counts, token.text.parse::<f64>()) {
            let others = if number > 0.0 { vec![number * 2.0, number / 2.0] } else { vec![1.0] };
            edits.extend(others.into_iter().map(|other| Edit::of(token, other.to_string())));
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::super::edit::mutated;
    use super::*;

    #[test]
    fn operands_of_comparisons_and_arithmetic_are_doubled_and_halved() {
        assert_eq!(mutated(edits, "a > 0.05"), ["a > 0.1", "a > 0.025"]);
        assert_eq!(mutated(edits, "3 * a"), ["6 * a", "1.5 * a"]);
        assert_eq!(mutated(edits, "a == 0"), ["a == 1"]);
    }

    #[test]
    fn function_arguments_are_not_changed() {
        assert!(mutated(edits, "histogram_quantile(0.5, a)").is_empty());
        assert!(mutated(edits, "vector(1)").is_empty());
    }
}
