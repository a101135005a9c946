//! The platforms' length limits for posts, and how each platform counts characters.

use super::message::{BETWEEN, Message};
use super::{linkedin, mastodon, x};
use crate::domain::Platform;

/// The length that X and Mastodon count for any link.
const SHORTENED_LINK: usize = 23;

impl Message<'_> {
    /// Whether Vitrine can post on the platform.
    #[must_use]
    pub const fn is_for(platform: Platform) -> bool {
        matches!(platform, Platform::Mastodon | Platform::X | Platform::Linkedin)
    }

    /// The platform's limit in characters, as the platform counts them, if the message exceeds it; else `None`.
    #[must_use]
    pub fn exceeds(&self, platform: Platform) -> Option<usize> {
        let (length, limit) = match platform {
            Platform::Mastodon => (self.counted(|_| 1) + SHORTENED_LINK, mastodon::MAX_LENGTH),
            Platform::X => (self.counted(x::weight) + SHORTENED_LINK, x::MAX_LENGTH),
            Platform::Linkedin => (self.counted(|_| 1) + self.link.chars().count(), linkedin::MAX_LENGTH),
            Platform::Github | Platform::Gitlab | Platform::Google => return None,
        };
        (length > limit).then_some(limit)
    }

    /// The weight of the message without its link.
    fn counted(&self, weight: fn(char) -> usize) -> usize {
        self.text.chars().chain(BETWEEN.chars()).map(weight).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a text of `count` characters is too long, but a text of `count - 1` characters is not.
    fn is_first_too_long(platform: Platform, character: &str, count: usize, link: &str) -> bool {
        let exceeds = |count: usize| Message { text: &character.repeat(count), link }.exceeds(platform).is_some();
        exceeds(count) && !exceeds(count - 1)
    }

    #[test]
    fn the_length_of_a_link_depends_on_the_platform() {
        let long = format!("https://example.com/projects/{}", "x".repeat(100));
        for link in ["https://a.b/", &long] {
            assert!(is_first_too_long(Platform::Mastodon, "é", 500 - 25 + 1, link));
            assert!(is_first_too_long(Platform::X, "é", 280 - 25 + 1, link));
            assert!(is_first_too_long(Platform::Linkedin, "é", 3000 - 2 - link.len() + 1, link));
        }
    }

    #[test]
    fn x_counts_characters_outside_of_alphabets_twice() {
        assert!(is_first_too_long(Platform::X, "字", (280 - 25) / 2 + 1, "https://a.b/"));
    }
}
