//! The line that is being typed at a simulated shell: what the keys do to it, and what the terminal shows of that.

use super::super::Utf8Decoder;

/// Bytes of a line; what is typed beyond them rings the bell.
const LINE_LIMIT: usize = 1024;
const BELL: char = '\u{7}';

/// What ends a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// Enter, after this.
    Line(String),
    /// Ctrl-C: the line is forgotten.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
}

/// Where a sequence of a function key is.
#[derive(Debug, Default, PartialEq, Eq)]
enum Sequence {
    #[default]
    None,
    /// After the escape character.
    Begun,
    /// After what says that parameters follow, and a last byte.
    Parameters,
}

/// A line, and how far it has come.
#[derive(Debug, Default)]
pub struct Editor {
    decoder: Utf8Decoder,
    line: String,
    sequence: Sequence,
}

impl Editor {
    /// The characters of typed bytes, each to be given to [`Self::press`].
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        self.decoder.decode(bytes)
    }

    /// Takes a key and appends what the terminal shows of it to `shown`.
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

    /// Arrows and the like are sequences of characters, and do nothing here.
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

    /// What is shown of typed bytes, and what they end in.
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
    fn what_is_typed_is_shown_and_becomes_a_line() {
        assert_eq!(typed(b"ls\r"), ("ls\r\n".to_owned(), line("ls")));
        assert_eq!(typed("grüße €\n".as_bytes()), ("grüße €\r\n".to_owned(), line("grüße €")));
    }

    #[test]
    fn backspace_takes_the_last_character_and_nothing_before_the_first() {
        assert_eq!(typed("aü\u{7f}\u{8}\u{7f}b\r".as_bytes()), ("aü\u{8} \u{8}\u{8} \u{8}b\r\n".to_owned(), line("b")));
    }

    #[test]
    fn control_c_forgets_the_line_and_control_d_ends_an_empty_one() {
        assert_eq!(typed(b"rm\x03\r"), ("rm^C\r\n\r\n".to_owned(), vec![Typed::Interrupt, Typed::Line(String::new())]));
        assert_eq!(typed(b"\x04"), ("\r\n".to_owned(), vec![Typed::End]));
        assert_eq!(typed(b"a\x04\r"), ("a\u{7}\r\n".to_owned(), line("a")));
    }

    #[test]
    fn function_keys_do_nothing() {
        assert_eq!(typed(b"a\x1b[A\x1b[1;5C\x1bOP\x1bxb\x1b\x1b[3~c\r"), ("abc\r\n".to_owned(), line("abc")));
    }

    #[test]
    fn a_line_takes_no_more_memory_than_a_line() {
        let (shown, ended) = typed(&[&b"x".repeat(LINE_LIMIT + 2), &b"\r"[..]].concat());
        assert_eq!(ended, line(&"x".repeat(LINE_LIMIT)));
        assert!(shown.ends_with("x\u{7}\u{7}\r\n"));
    }
}
