//! Removes label matchers, and each alternative of a regular expression.

use std::iter;
use std::ops::Range;

use super::edit::Edit;
use super::tokens::{Kind, Token};

pub fn edits(tokens: &[Token]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (at, [label, operator, value]) in tokens.array_windows::<3>().enumerate() {
        if !label.in_braces || value.kind != Kind::Text {
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| tokens.get(before)).filter(|token| token.is(","));
        let after = tokens.get(at + 3).filter(|token| token.is(","));
        let range = match (before, after) {
            (Some(comma), _) => comma.start..value.end(),
            (None, Some(comma)) => label.start..comma.end(),
            (None, None) => label.start..value.end(),
        };
        edits.push(Edit::new(range, ""));
        if ["=~", "!~"].contains(&operator.text) {
            edits.extend(alternatives(value).into_iter().map(|range| Edit::new(range, "")));
        }
    }
    edits
}

/// The range of each alternative of a regular expression, with one adjacent `|`; empty if there is only one alternative. A `|` inside
/// parentheses does not count.
fn alternatives(pattern: &Token) -> Vec<Range<usize>> {
    let mut depth = 0;
    let bars = pattern.text.char_indices().filter_map(|(at, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        (c == '|' && depth == 0).then_some(pattern.start + at)
    });
    let bars: Vec<usize> = bars.collect();
    let Some(first) = bars.first() else { return Vec::new() };
    let ends = bars.iter().skip(1).copied().chain([pattern.end() - 1]);
    let others = bars.iter().zip(ends).map(|(bar, end)| *bar..end);
    iter::once(pattern.start + 1..first + 1).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::super::edit::mutated;
    use super::*;

    #[test]
    fn matchers_are_removed_one_by_one() {
        assert_eq!(mutated(edits, r#"a{b="c", d!="e"}"#), [r#"a{ d!="e"}"#, r#"a{b="c"}"#]);
        assert_eq!(mutated(edits, r#"a{b="c"}"#), ["a{}"]);
    }

    #[test]
    fn alternatives_are_removed_one_by_one() {
        assert_eq!(mutated(edits, r#"a{b=~"c|(d|e)f"}"#), ["a{}", r#"a{b=~"(d|e)f"}"#, r#"a{b=~"c"}"#]);
    }
}
