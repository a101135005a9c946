//! Validation rules and schemas for fields of request bodies. [`Line`] and [`Paragraph`] provide both a check and its schema.
//! A model collects the errors of all fields before it rejects a body.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};

/// 2^53: an `f64` represents every integer up to this one exactly.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;
/// Unicode control characters, written as ranges for a character class of a regular expression (ECMA-262).
const CONTROLS: &str = r"\u0000-\u001f\u007f-\u009f";
/// [`CONTROLS`] without tab, line feed and carriage return.
const CONTROLS_IN_LINES: &str = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f";

/// A single line of text: at most `MAX` characters, at least `MIN` after trimming, and no control characters.
pub enum Line<const MIN: usize, const MAX: usize> {}

impl<const MIN: usize, const MAX: usize> Line<MIN, MAX> {
    /// Validates the text and returns it trimmed.
    pub fn read(fields: &mut Fields, field: &str, text: &str) -> String {
        fields.text(field, text, MIN, MAX, char::is_control);
        text.trim().to_owned()
    }

    /// The schema of the text that [`Self::read`] accepts.
    #[must_use]
    pub fn schema() -> Schema {
        text_schema(MIN, MAX, CONTROLS).into()
    }
}

/// Text of several lines: like [`Line`], but tabs and line breaks are allowed. With a `MIN` of 0 the text is not trimmed.
pub enum Paragraph<const MIN: usize, const MAX: usize> {}

impl<const MIN: usize, const MAX: usize> Paragraph<MIN, MAX> {
    /// Validates the text and returns it, trimmed unless it may be empty.
    pub fn read(fields: &mut Fields, field: &str, text: &str) -> String {
        fields.text(field, text, MIN, MAX, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
        if MIN == 0 { text.to_owned() } else { text.trim().to_owned() }
    }

    /// The schema of the text that [`Self::read`] accepts.
    #[must_use]
    pub fn schema() -> Schema {
        text_schema(MIN, MAX, CONTROLS_IN_LINES).into()
    }
}

fn text_schema(min: usize, max: usize, forbidden: &str) -> ObjectBuilder {
    let pattern = if min == 0 { format!("^[^{forbidden}]*$") } else { format!("^[^{forbidden}]*[^\\s{CONTROLS}][^{forbidden}]*$") };
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(min)).max_length(Some(max)).pattern(Some(pattern))
}

/// The schema of a string with `min` to `max` characters.
#[must_use]
pub fn characters(min: usize, max: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(min)).max_length(Some(max))
}

/// The schema of an e-mail address of at most `max` characters.
#[must_use]
pub fn email(max: usize) -> Schema {
    let format = SchemaFormat::KnownFormat(KnownFormat::Email);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).max_length(Some(max)).into()
}

/// The schema of a string enum.
#[must_use]
pub fn one_of(words: impl IntoIterator<Item = &'static str>) -> Schema {
    let words: Vec<&str> = words.into_iter().collect();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// The schema of a non-empty array of distinct values of a string enum.
#[must_use]
pub fn some_of(words: impl IntoIterator<Item = &'static str>) -> Schema {
    ArrayBuilder::new().items(RefOr::T(one_of(words))).min_items(Some(1)).unique_items(true).into()
}

/// The schema of an integer from `min` to `max`.
#[must_use]
pub fn integer(min: i64, max: i64) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min)).maximum(Some(max))
}

/// A field that failed validation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field in the request body, such as `members.0.role`.
    pub field: String,
    /// Stable code, such as `too_long`.
    pub code: &'static str,
    /// One-line explanation for people.
    pub message: String,
}

/// Collects the validation errors of a body.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// Adds an error for a field.
    pub fn refuse(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        self.0.push(FieldError { field: field.to_owned(), code, message: message.into() });
    }

    fn text(&mut self, field: &str, text: &str, min: usize, max: usize, forbidden: fn(char) -> bool) {
        if text.trim().chars().count() < min {
            let unit = if min == 1 { "character" } else { "characters" };
            self.refuse(field, "too_short", format!("must be at least {min} {unit}"));
        } else if text.chars().count() > max {
            self.refuse(field, "too_long", format!("must be at most {max} characters"));
        }
        if text.contains(forbidden) {
            self.refuse(field, "control_character", "must not contain control characters");
        }
    }

    /// Returns the value if no field failed.
    ///
    /// # Errors
    /// All collected errors.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// Deserializes a non-negative integer in any notation. For JSON Schema, `200.0` is an integer, too.
///
/// # Errors
/// When the value is not a non-negative integer or does not fit the type.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before the cast")]
pub fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let from_float = || number.as_f64().filter(|value| value.fract() == 0.0 && (0.0..=MAX_EXACT_INTEGER).contains(value));
    let value = number.as_u64().or_else(|| from_float().map(|value| value as u64));
    value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| D::Error::custom("must be a whole number within the allowed range"))
}

/// [`whole`] for optional fields that may be absent but not `null`.
///
/// # Errors
/// As [`whole`], and when the value is `null`.
pub fn whole_or_absent<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<Option<T>, D::Error> {
    whole(deserializer).map(Some)
}

/// Deserializes an optional field that may be absent but not `null`.
///
/// # Errors
/// When the value is `null` or of the wrong type.
pub fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
