//! The text of a post: the user's text, then a link on a line of its own.

use std::fmt;

/// The separator between the text and the link.
pub const BETWEEN: &str = "\n\n";

/// A text and a link.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The user's text, unchanged.
    pub text: &'a str,
    /// The link, on the last line.
    pub link: &'a str,
}

impl fmt::Display for Message<'_> {
    /// The complete text of the post.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{BETWEEN}{}", self.text, self.link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_the_last_line_and_the_text_is_not_touched() {
        let message = Message { text: "  é\r\n\\\"</>  ", link: "https://a.b/" };
        assert_eq!(message.to_string(), "  é\r\n\\\"</>  \n\nhttps://a.b/");
    }
}
