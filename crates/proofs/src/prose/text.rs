//! The parts of a file that people read. In Markdown: all lines outside code blocks. In Rust, JavaScript and TypeScript: comments
//! and double-quoted strings. In other files: every line.

use std::sync::LazyLock;

use regex_lite::Regex;

/// A comment to the end of the line, a line of a block comment, or a double-quoted string on one line.
static COMMENT_OR_STRING: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?:^|\s)//[/!]?\s.*$|^\s*/?\*+\s.*$|"(?:[^"\\]|\\.)*""#).expect("the expression is valid"));

/// The readable texts of a file with the numbers of their lines.
pub fn of<'a>(file: &str, content: &'a str) -> Vec<(usize, &'a str)> {
    let lines = content.lines().enumerate().map(|(index, line)| (index + 1, line));
    match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("rs" | "ts" | "js" | "mjs") => {
            lines.flat_map(|(number, line)| COMMENT_OR_STRING.find_iter(line).map(move |part| (number, part.as_str()))).collect()
        }
        Some("md") => {
            let mut is_code = false;
            lines
                .filter(|(_, line)| {
                    let is_fence = line.trim_start().starts_with("```");
                    is_code ^= is_fence;
                    !is_code && !is_fence
                })
                .collect()
        }
        _ => lines.collect(),
    }
}
