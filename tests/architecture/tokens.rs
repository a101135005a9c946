//! Splits Rust code into names, `::` and single characters, and omits comments, string literals and character literals.
//!
//! Written by hand: a parser library could enable more features of dependencies that the service also has, and Cargo would then compile
//! these dependencies twice (`tests/contract/builds.rs`).

pub fn tokens(code: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), code.trim_start());
    while !rest.is_empty() {
        let (token, after) = rest.split_at(length(rest));
        if is_name(token) && token.ends_with(is_part) || token == "::" || token.len() == 1 {
            found.push(token);
        }
        rest = after.trim_start();
    }
    found
}

/// Whether a token is a name, a keyword or a number.
pub fn is_name(token: &str) -> bool {
    token.starts_with(is_part)
}

fn is_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The length in bytes of the token, comment or literal at the start of the code.
fn length(code: &str) -> usize {
    let until = |end: &str, from: usize| code[from..].find(end).map_or(code.len(), |at| from + at + end.len());
    match code.as_bytes() {
        [b'/', b'/', ..] => until("\n", 0),
        [b'/', b'*', ..] => until("*/", 2),
        [b'r', b'"', ..] => until("\"", 2),
        [b'r', b'#', b'"', ..] => until("\"#", 3),
        [b'r', b'#', b'#', b'"', ..] => until("\"##", 4),
        [b'"', ..] => string(code),
        [b'\'', b'\\', ..] => until("'", 3),
        [b'\'', ..] => character(code),
        [b':', b':', ..] => 2,
        _ if is_name(code) => code.find(|character| !is_part(character)).unwrap_or(code.len()),
        _ => code.chars().next().map_or(0, char::len_utf8),
    }
}

fn string(code: &str) -> usize {
    let mut is_escaped = false;
    let is_end = |character| {
        let is_end = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    };
    code[1..].find(is_end).map_or(code.len(), |at| at + 2)
}

/// The length in bytes of a character literal without an escape; 1 for a quote that begins a lifetime.
fn character(code: &str) -> usize {
    let mut characters = code[1..].chars();
    match (characters.next(), characters.next()) {
        (Some(quoted), Some('\'')) => 2 + quoted.len_utf8(),
        _ => 1,
    }
}

#[test]
fn only_code_has_tokens() {
    let code = r##"a::b /* c */ "d \" e" 'f' '\'' <'g> r#"h " i"# // j"##;
    assert_eq!(tokens(code), ["a", "::", "b", "<", "'", "g", ">"]);
}
