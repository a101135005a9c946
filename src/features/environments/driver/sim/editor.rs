//! The line editor of a simulated shell: how keys change the line, and what the terminal echoes.

use super::super::Utf8Decoder;

/// Maximum number of bytes in a line. Further characters ring the bell.
const LINE_LIMIT: usize = 1024;
const BELL: char = '\u{7}';

/// A key that ends the line.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// Enter, with the line.
    Line(String),
    /// Ctrl-C; the line is discarded.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
}

/// State of the parser for escape sequences.
#[derive(Debug, Default, PartialEq, Eq)]
enum Sequence {
    #[default]
    None,
    /// After the escape character.
    Begun,
    /// After the introducer (`[` or `O`), until the final byte.
    Parameters,
}

/// The current line and the state of the parser.
#[derive(Debug, Default)]
pub struct Editor {
    decoder: Utf8Decoder,
    line: String,
    sequence: Sequence,
}

impl Editor {
    /// Decodes typed bytes into characters for [`Self::press`].
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        self.decoder.decode(bytes)
    }

    /// Handles one key and appends its echo to `shown`.
    pub fn press(&mut self, key: char, shown: &mut String) -> Option<Typed> {
        if self.is_of_a_sequence(key) {
            return None;
        }
        match key {
            '\r' | '\n' => {
                shown.push_str("\r\n");
                return Some(Typed::Line(std::mem::take(&mut self.line)));
            }
            '\u{3}' => {
                shown.push_str("^C\r\n");
                self.line.clear();
                return Some(Typed::Interrupt);
            }
            '\u{4}' if self.line.is_empty() => {
                shown.push_str("\r\n");
                return Some(Typed::End);
            }
            '\u{8}' | '\u{7f}' => {
                if self.line.pop().is_some() {
                    shown.push_str("\u{8} \u{8}");
                }
            }
            key if key.is_control() || self.line.len() + key.len_utf8() > LINE_LIMIT => shown.push(BELL),
            key => {
                self.line.push(key);
                shown.push(key);
            }
        }
        None
    }

    /// Whether the key belongs to an escape sequence, such as that of an arrow key. Escape sequences are ignored.
    fn is_of_a_sequence(&mut self, key: char) -> bool {
        let is_of_one = self.sequence != Sequence::None || key == '\u{1b}';
        self.sequence = match (&self.sequence, key) {
            (_, '\u{1b}') => Sequence::Begun,
            (Sequence::Begun, '[' | 'O') | (Sequence::Parameters, ' '..='?') => Sequence::Parameters,
            _ => Sequence::None,
        };
        is_of_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The echo of typed bytes, and the keys that ended a line.
    fn typed(bytes: &[u8]) -> (String, Vec<Typed>) {
        let (mut editor, mut shown, mut ended) = (Editor::default(), String::new(), Vec::new());
        for byte in bytes.chunks(1) {
            for key in editor.decode(byte).chars() {
                ended.extend(editor.press(key, &mut shown));
            }
        }
        (shown, ended)
    }

    fn line(text: &str) -> Vec<Typed> {
        vec![Typed::Line(text.to_owned())]
    }

    #[test]
    fn typed_characters_are_echoed_and_become_a_line() {
        assert_eq!(typed(b"ls\r"), ("ls\r\n".to_owned(), line("ls")));
        assert_eq!(typed("grüße €\n".as_bytes()), ("grüße €\r\n".to_owned(), line("grüße €")));
    }

    #[test]
    fn backspace_deletes_the_last_character_and_does_nothing_on_an_empty_line() {
        assert_eq!(typed("aü\u{7f}\u{8}\u{7f}b\r".as_bytes()), ("aü\u{8} \u{8}\u{8} \u{8}b\r\n".to_owned(), line("b")));
    }

    #[test]
    fn control_c_discards_the_line_and_control_d_on_an_empty_line_ends_the_input() {
        assert_eq!(typed(b"rm\x03\r"), ("rm^C\r\n\r\n".to_owned(), vec![Typed::Interrupt, Typed::Line(String::new())]));
        assert_eq!(typed(b"\x04"), ("\r\n".to_owned(), vec![Typed::End]));
        assert_eq!(typed(b"a\x04\r"), ("a\u{7}\r\n".to_owned(), line("a")));
    }

    #[test]
    fn function_keys_do_nothing() {
        assert_eq!(typed(b"a\x1b[A\x1b[1;5C\x1bOP\x1bxb\x1b\x1b[3~c\r"), ("abc\r\n".to_owned(), line("abc")));
    }

    #[test]
    fn a_line_stops_growing_at_the_limit() {
        let (shown, ended) = typed(&[&b"x".repeat(LINE_LIMIT + 2), &b"\r"[..]].concat());
        assert_eq!(ended, line(&"x".repeat(LINE_LIMIT)));
        assert!(shown.ends_with("x\u{7}\u{7}\r\n"));
    }
}
