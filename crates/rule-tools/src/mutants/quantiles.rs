//! Replaces a quantile with the next lower or the next higher quantile of a fixed list.

use super::edit::Edit;
use super::tokens::{Kind, Token};

const QUANTILES: [&str; 5] = ["0.5", "0.75", "0.9", "0.95", "0.99"];

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for [function, _, number] in tokens.array_windows::<3>() {
        if !function.text.contains("quantile") || number.kind != Kind::Number {
            continue;
        }
        let Some(at) = QUANTILES.iter().position(|quantile| *quantile == number.text) else { continue };
        let neighbours = [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter_map(|at| QUANTILES.get(at));
        edits.extend(neighbours.map(|other| Edit::of(number, *other)));
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::super::edit::mutated;
    use super::*;

    #[test]
    fn a_quantile_moves_up_and_down() {
        let others = ["histogram_quantile(0.9, a) > 0.5", "histogram_quantile(0.99, a) > 0.5"];
        assert_eq!(mutated(edits, "histogram_quantile(0.95, a) > 0.5"), others);
        assert_eq!(mutated(edits, "histogram_quantile(0.99, a)"), ["histogram_quantile(0.95, a)"]);
    }
}
