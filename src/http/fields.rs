//! Rules that fields of bodies share, each checked and described in one place. A model collects everything that is wrong
//! before it refuses.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Number;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};

use super::error::FieldError;

/// Up to which a fraction of 64 bits holds every whole number.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;
/// The control characters of Unicode, as a character class of a regular expression (ECMA-262).
const CONTROLS: &str = r"\u0000-\u001f\u007f-\u009f";
/// Those without tab, line feed and carriage return.
const CONTROLS_IN_LINES: &str = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f";

/// One line of text: at most `MAX` characters, none of them a control character, and at least `MIN` without the spaces around it.
pub enum Line<const MIN: usize, const MAX: usize> {}

impl<const MIN: usize, const MAX: usize> Line<MIN, MAX> {
    /// The text without the spaces around it.
    pub fn read(fields: &mut Fields, field: &str, text: &str) -> String {
        fields.text(field, text, MIN, MAX, char::is_control);
        text.trim().to_owned()
    }

    /// What [`Self::read`] accepts.
    #[must_use]
    pub fn schema() -> Schema {
        text_schema(MIN, MAX, CONTROLS).into()
    }
}

/// Text of several lines, with the same rule but for tabs and the ends of lines. One that may be empty is kept as it is.
pub enum Paragraph<const MIN: usize, const MAX: usize> {}

impl<const MIN: usize, const MAX: usize> Paragraph<MIN, MAX> {
    /// The text, without the spaces around it where it must not be empty.
    pub fn read(fields: &mut Fields, field: &str, text: &str) -> String {
        fields.text(field, text, MIN, MAX, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
        if MIN == 0 { text.to_owned() } else { text.trim().to_owned() }
    }

    /// What [`Self::read`] accepts.
    #[must_use]
    pub fn schema() -> Schema {
        text_schema(MIN, MAX, CONTROLS_IN_LINES).into()
    }
}

fn text_schema(min: usize, max: usize, refused: &str) -> ObjectBuilder {
    let pattern = if min == 0 { format!("^[^{refused}]*$") } else { format!("^[^{refused}]*[^\\s{CONTROLS}][^{refused}]*$") };
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(min)).max_length(Some(max)).pattern(Some(pattern))
}

/// The schema of a string of so many characters.
#[must_use]
pub fn characters(min: usize, max: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(min)).max_length(Some(max))
}

/// The schema of an e-mail address.
#[must_use]
pub fn email(max: usize) -> Schema {
    let format = SchemaFormat::KnownFormat(KnownFormat::Email);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).max_length(Some(max)).into()
}

/// The schema of one of these words.
#[must_use]
pub fn one_of(words: impl IntoIterator<Item = &'static str>) -> Schema {
    let words: Vec<&str> = words.into_iter().collect();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// The schema of a set of these words with at least one.
#[must_use]
pub fn some_of(words: impl IntoIterator<Item = &'static str>) -> Schema {
    ArrayBuilder::new().items(RefOr::T(one_of(words))).min_items(Some(1)).unique_items(true).into()
}

/// The schema of a whole number.
#[must_use]
pub fn integer(min: i64, max: i64) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min)).maximum(Some(max))
}

/// What is wrong with the fields of a body so far.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// Notes that a field is not acceptable.
    pub fn refuse(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        self.0.push(FieldError { field: field.to_owned(), code, message: message.into() });
    }

    fn text(&mut self, field: &str, text: &str, min: usize, max: usize, refused: fn(char) -> bool) {
        if text.trim().chars().count() < min {
            self.refuse(field, "too_short", format!("must be at least {min} characters"));
        } else if text.chars().count() > max {
            self.refuse(field, "too_long", format!("must be at most {max} characters"));
        }
        if text.contains(refused) {
            self.refuse(field, "control_character", "must not contain control characters");
        }
    }

    /// The value made of the fields, if nothing was wrong.
    ///
    /// # Errors
    /// Everything that was.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// A whole number, however it is written: to JSON Schema `200.0` is one.
///
/// # Errors
/// When the value is none, or outside the type's range.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what does not fit is refused before")]
pub fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let written_as_fraction = || number.as_f64().filter(|value| value.fract() == 0.0 && (0.0..=MOST_EXACT).contains(value));
    let value = number.as_u64().or_else(|| written_as_fraction().map(|value| value as u64));
    value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| D::Error::custom("must be a whole number of its range"))
}

/// The same for optional fields, where `null` is not the same as leaving the field out.
///
/// # Errors
/// As [`whole`].
pub fn whole_or_absent<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<Option<T>, D::Error> {
    whole(deserializer).map(Some)
}

/// For optional fields where `null` is not the same as leaving the field out: it is refused.
///
/// # Errors
/// When the value is of the wrong type.
pub fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
