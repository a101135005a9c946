//! Splits `PromQL` into tokens, so that `mutants` can change one of them. It does not check the grammar: promtool does.

use std::ops::Range;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A metric, a label, a function or a keyword.
    Word,
    /// `0.5`.
    Number,
    /// `5m`.
    Duration,
    /// A quoted string.
    Text,
    /// An operator, a bracket or a comma.
    Symbol,
}

/// A token of an expression.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    pub kind: Kind,
    /// Its source text.
    pub text: &'a str,
    /// The index of its first byte.
    pub start: usize,
    /// Whether the token is between braces; the opening brace counts, the closing one does not.
    pub in_braces: bool,
}

impl Token<'_> {
    /// The range of its bytes.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end()
    }

    /// The index of the byte after it.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this word or symbol.
    pub fn is(&self, text: &str) -> bool {
        self.kind != Kind::Text && self.text == text
    }

    /// Whether it is one of these operators, outside braces.
    pub fn is_operator(&self, operators: &[&str]) -> bool {
        self.kind == Kind::Symbol && !self.in_braces && operators.contains(&self.text)
    }
}

/// The tokens of an expression, without the whitespace between them.
pub fn tokens(expression: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut start, mut in_braces) = (0, false);
    while let Some(first) = expression[start..].chars().next() {
        let rest = &expression[start..];
        let (kind, length) = piece(rest, first);
        if !first.is_whitespace() {
            in_braces = (in_braces || first == '{') && first != '}';
            tokens.push(Token { kind, text: &rest[..length], start, in_braces });
        }
        start += length;
    }
    tokens
}

fn piece(rest: &str, first: char) -> (Kind, usize) {
    let until = |ends: fn(char) -> bool| rest.find(ends).unwrap_or(rest.len());
    match first {
        '"' | '\'' | '`' => (Kind::Text, quoted(rest, first)),
        '0'..='9' => {
            let length = until(|c| !(c.is_ascii_alphanumeric() || c == '.'));
            let kind = if rest[..length].parse::<f64>().is_ok() { Kind::Number } else { Kind::Duration };
            (kind, length)
        }
        _ if first.is_ascii_alphabetic() || first == '_' => (Kind::Word, until(|c| !(c.is_ascii_alphanumeric() || "_:".contains(c)))),
        _ if ["==", "!=", ">=", "<=", "=~", "!~"].iter().any(|operator| rest.starts_with(operator)) => (Kind::Symbol, 2),
        _ => (Kind::Symbol, first.len_utf8()),
    }
}

/// The length of a quoted string, including its quotes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_split_into_tokens() {
        let kinds: Vec<(Kind, &str)> = tokens("a:b_c{d!~\"x\\\"|}\"}[5m]\n >= 0.5").iter().map(|token| (token.kind, token.text)).collect();
        let expected = [
            (Kind::Word, "a:b_c"),
            (Kind::Symbol, "{"),
            (Kind::Word, "d"),
            (Kind::Symbol, "!~"),
            (Kind::Text, "\"x\\\"|}\""),
            (Kind::Symbol, "}"),
            (Kind::Symbol, "["),
            (Kind::Duration, "5m"),
            (Kind::Symbol, "]"),
            (Kind::Symbol, ">="),
            (Kind::Number, "0.5"),
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn tokens_between_braces_are_marked() {
        let inside =
            |text: &str| tokens("a{b!=\"c\"} != 1").iter().filter(|token| token.is(text)).map(|token| token.in_braces).collect::<Vec<_>>();
        assert_eq!(inside("!="), [true, false]);
    }
}
