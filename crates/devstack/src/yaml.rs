//! Removes blocks of lines from YAML. The remaining lines, with their comments, stay exactly as they were.

/// The indentation of a line, in bytes.
#[must_use]
pub(crate) fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Removes every list item whose first line is `- <head>`, with everything indented below it.
#[must_use]
pub fn drop_item(text: &str, head: &str) -> String {
    drop_block(text, |line| line.trim_start().strip_prefix("- ").is_some_and(|item| unquoted(item) == head))
}

/// Removes every line that `is_head` accepts, with everything indented below it.
pub(crate) fn drop_block(text: &str, is_head: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut dropping: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let blank = line.trim().is_empty();
        if dropping.is_some_and(|depth| !blank && indent(line) <= depth) {
            dropping = None;
        }
        if dropping.is_none() && is_head(line) {
            dropping = Some(indent(line));
        }
        if dropping.is_none() {
            out.push_str(line);
        }
    }
    out
}

/// A list item without quotes and without its comment.
#[must_use]
pub(crate) fn unquoted(item: &str) -> String {
    let item = item.split(" #").next().unwrap_or_default();
    item.trim().replace(['"', '\''], "")
}
