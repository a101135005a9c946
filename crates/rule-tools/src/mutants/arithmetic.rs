//! Swaps division and multiplication, and addition and subtraction.

use super::edit::Edit;
use super::tokens::{Kind, Token};

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let inverse = |operator: &str| match operator {
        "/" => Some("*"),
        "*" => Some("/"),
        "+" => Some("-"),
        "-" => Some("+"),
        _ => None,
    };
    tokens.iter().filter(|token| token.kind == Kind::Symbol).filter_map(|token| Some(Edit::of(token, inverse(token.text)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::edit::mutated;
    use super::*;

    #[test]
    fn an_operator_becomes_its_inverse_and_strings_stay_unchanged() {
        assert_eq!(mutated(edits, "a{r=\"/\"} / (b + c)"), ["a{r=\"/\"} * (b + c)", "a{r=\"/\"} / (b - c)"]);
    }
}
