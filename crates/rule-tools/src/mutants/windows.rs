//! Doubles and halves windows and offsets, and removes offsets.

use super::durations;
use super::edit::Edit;
use super::tokens::{Kind, Token};

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for token in tokens.iter().filter(|token| token.kind == Kind::Duration) {
        edits.extend(durations::others(token.text).into_iter().map(|other| Edit::of(token, other)));
    }
    let offsets = tokens.array_windows::<2>().filter(|[word, duration]| word.is("offset") && duration.kind == Kind::Duration);
    edits.extend(offsets.map(|[word, duration]| Edit::new(word.start..duration.end(), "")));
    edits
}

#[cfg(test)]
mod tests {
    use super::super::edit::mutated;
    use super::*;

    #[test]
    fn a_window_is_doubled_and_halved() {
        assert_eq!(mutated(edits, "rate(a[5m])"), ["rate(a[10m])", "rate(a[150s])"]);
    }

    #[test]
    fn an_offset_is_also_removed() {
        assert_eq!(mutated(edits, "a offset 1h"), ["a offset 120m", "a offset 30m", "a "]);
    }
}
