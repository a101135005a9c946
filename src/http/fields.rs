//! Rules that fields of bodies share. A model collects everything that is wrong before it refuses.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer};

use super::error::FieldError;

/// What is wrong with the fields of a body so far.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// Notes that a field is not acceptable.
    pub fn refuse(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        self.0.push(FieldError { field: field.to_owned(), code, message: message.into() });
    }

    /// A line of text: trimmed, of so many characters, none of them a control character.
    pub fn line(&mut self, field: &str, text: &str, length: RangeInclusive<usize>) -> String {
        self.text(field, text.trim(), length, char::is_control)
    }

    /// Text of several lines: of so many characters, none of them a control character but line feed and tab.
    pub fn paragraph(&mut self, field: &str, text: &str, length: RangeInclusive<usize>) -> String {
        self.text(field, text, length, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    }

    fn text(&mut self, field: &str, text: &str, length: RangeInclusive<usize>, refused: fn(char) -> bool) -> String {
        let characters = text.chars().count();
        if characters < *length.start() {
            self.refuse(field, "too_short", format!("wants at least {} characters", length.start()));
        } else if characters > *length.end() {
            self.refuse(field, "too_long", format!("wants at most {} characters", length.end()));
        }
        if text.contains(refused) {
            self.refuse(field, "control_character", "wants no control characters");
        }
        text.to_owned()
    }

    /// The value made of the fields, if nothing was wrong.
    ///
    /// # Errors
    /// Everything that was.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// For optional fields where `null` is not the same as leaving the field out: it is refused.
///
/// # Errors
/// When the value is of the wrong type.
pub fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
