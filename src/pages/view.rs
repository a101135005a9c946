//! Views that several pages share: environments, times, numbers, names. Sentences belong in the templates.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::Platform;
use crate::domain::paging::{Cursor, PageRequest};
use crate::features::environments::Environment;
use crate::features::environments::driver::Image;

/// Maximum number of characters of a description on a card.
const EXCERPT: usize = 180;

/// An environment, for every page that shows one.
pub struct EnvironmentView {
    pub id: Uuid,
    pub name: String,
    pub image: Image,
    pub driver: &'static str,
    pub status: &'static str,
    pub last_error: Option<String>,
}

impl From<Environment> for EnvironmentView {
    fn from(environment: Environment) -> Self {
        let Environment { id, name, image, driver, status, last_error, .. } = environment;
        Self { id, name, image, driver: driver.name(), status: status.name(), last_error }
    }
}

impl EnvironmentView {
    /// Whether the status is one of `statuses`, a list separated by spaces. Templates use this to hide elements that are for other
    /// statuses.
    pub fn is(&self, statuses: &str) -> bool {
        statuses.split(' ').any(|status| status == self.status)
    }
}

/// A time, formatted for programs and for people.
pub struct Time {
    /// RFC 3339, whole seconds, UTC.
    pub machine: String,
    /// Such as `12 Nov 2026, 10:00 UTC`.
    pub text: String,
    /// Time of day in UTC, such as `10:00:05`.
    pub clock: String,
}

impl From<OffsetDateTime> for Time {
    fn from(at: OffsetDateTime) -> Self {
        let at = at.to_utc();
        let (date, month) = (at.date(), at.month().to_string());
        let clock = format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
        Self {
            machine: format!("{:04}-{:02}-{:02}T{clock}Z", at.year(), u8::from(at.month()), date.day()),
            text: format!("{} {} {}, {} UTC", date.day(), &month[..3], at.year(), &clock[..5]),
            clock,
        }
    }
}

/// A request for the first `size` items of a list, for a web page without pagination.
pub fn first<P: Cursor>(size: i64) -> PageRequest<P> {
    PageRequest { before: P::start(), limit: size }
}

/// Formats a number with thousands separators.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a duration in its two largest units, like `duration` in `web/src/fleet.ts`.
pub fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let seconds = seconds % 60;
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Truncates a text to fit a card.
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// The display name of a platform.
pub const fn platform(platform: Platform) -> &'static str {
    match platform {
        Platform::Github => "GitHub",
        Platform::Gitlab => "GitLab",
        Platform::Google => "Google",
        Platform::Mastodon => "Mastodon",
        Platform::Linkedin => "LinkedIn",
        Platform::X => "X",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        let at = OffsetDateTime::from_unix_timestamp(1_794_477_605).unwrap().to_offset(time::UtcOffset::from_hms(2, 0, 0).unwrap());
        let Time { machine, text, clock } = at.into();
        assert_eq!((machine.as_str(), text.as_str(), clock.as_str()), ("2026-11-12T10:00:05Z", "12 Nov 2026, 10:00 UTC", "10:00:05"));
    }

    #[test]
    fn numbers_and_durations_are_formatted_for_readers() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([59, 60, 3_700, 90_000].map(duration), ["59 s", "1 min 0 s", "1 h 1 min", "1 d 1 h"]);
    }

    #[test]
    fn an_excerpt_is_cut_between_characters() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"é".repeat(EXCERPT + 1)), format!("{}…", "é".repeat(EXCERPT)));
    }
}
