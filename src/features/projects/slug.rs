//! Slugs: validation, and derivation from a project's name. A slug identifies a project in its public URL.

use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::validation::FieldError;
use crate::domain::validation::{Fields, characters};

const LENGTH: std::ops::RangeInclusive<usize> = 3..=60;
/// Words used, now or probably later, in the service's own URLs. As a project's slug, they could hide a page or imitate one.
const RESERVED: [&str; 18] = [
    "about", "account", "admin", "api", "assets", "delete", "docs", "edit", "health", "login", "logout", "metrics", "new", "projects",
    "search", "settings", "showcase", "studio",
];
/// Completes a name that yields no valid slug by itself.
const FILLER: &str = "project";

/// A valid slug: words of lower-case ASCII letters and digits, separated by single hyphens. A slug needs no escaping in a URL. No two
/// slugs differ only in upper and lower case, or in similar letters of different alphabets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug(String);

impl PartialSchema for Slug {
    fn schema() -> RefOr<Schema> {
        characters(*LENGTH.start(), *LENGTH.end()).pattern(Some("^[a-z0-9]+(-[a-z0-9]+)*$")).into()
    }
}

impl ToSchema for Slug {}

impl Slug {
    /// Validates a slug. Never normalises it.
    pub fn parse(text: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let length = text.chars().count();
        if length < *LENGTH.start() {
            fields.refuse("slug", "too_short", format!("must be at least {} characters", LENGTH.start()));
        } else if length > *LENGTH.end() {
            fields.refuse("slug", "too_long", format!("must be at most {} characters", LENGTH.end()));
        } else if !text.split('-').all(is_word) {
            fields.refuse("slug", "invalid", "must be words of lower-case letters a to z and digits, separated by single hyphens");
        } else if RESERVED.contains(&text) {
            fields.refuse("slug", "reserved", "is reserved");
        }
        fields.finish(Self(text.to_owned()))
    }

    /// Derives a slug from the ASCII letters and digits of a name. If they yield no valid slug, adds `FILLER`.
    pub fn of_name(name: &str) -> Self {
        let lower = name.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let slug = cut(&words.join("-"), *LENGTH.end()).to_owned();
        match Self::parse(&slug) {
            Ok(slug) => slug,
            Err(_) if slug.is_empty() => Self(FILLER.to_owned()),
            Err(_) => Self(slug + "-" + FILLER),
        }
    }

    /// Derives a slug that begins like this one and ends with `ending` in hexadecimal. Used when this slug is taken.
    pub fn with_ending(&self, ending: u32) -> Self {
        let ending = format!("-{ending:08x}");
        Self(cut(&self.0, LENGTH.end() - ending.len()).to_owned() + &ending)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Truncates ASCII text, and removes hyphens at the end.
fn cut(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text).trim_end_matches('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<&'static str> {
        Slug::parse(text).err().map(|errors| errors[0].code)
    }

    #[test]
    fn slugs_derived_from_names_are_valid() {
        for (name, slug) in [
            ("  Ünïcode & Söhne: 2nd Édition ", "n-code-s-hne-2nd-dition"),
            ("日本語", "project"),
            ("x", "x-project"),
            ("New", "new-project"),
            ("--", "project"),
        ] {
            assert_eq!(Slug::of_name(name).as_str(), slug);
            assert_eq!(refusal(slug), None, "{slug}");
        }
    }

    #[test]
    fn slugs_of_long_names_stay_within_the_length_limit() {
        let long = Slug::of_name(&"a b".repeat(26));
        assert_eq!(long.as_str().len(), 60);
        for slug in [&long, &Slug::of_name(&format!("{} b", "a".repeat(50)))] {
            let ended = slug.with_ending(u32::MAX);
            assert_eq!(refusal(ended.as_str()), None, "{ended:?}");
        }
    }

    #[test]
    fn invalid_slugs_are_rejected_with_a_code() {
        for (text, code) in [
            ("", "too_short"),
            ("ab", "too_short"),
            ("Abc", "invalid"),
            ("-abc", "invalid"),
            ("abc-", "invalid"),
            ("a--b", "invalid"),
            ("a b", "invalid"),
            ("a.b", "invalid"),
            ("аbc", "invalid"),
            ("a\0b", "invalid"),
            ("admin", "reserved"),
        ] {
            assert_eq!(refusal(text), Some(code), "{text:?}");
        }
        assert_eq!(refusal(&"a".repeat(61)), Some("too_long"));
    }

    #[test]
    fn every_reserved_word_would_otherwise_be_a_valid_slug() {
        for word in RESERVED {
            assert_eq!(refusal(word), Some("reserved"), "{word}");
        }
    }
}
