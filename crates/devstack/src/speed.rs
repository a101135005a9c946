//! Divides durations in the monitoring's configuration: a rule that waits five minutes waits fifteen seconds at twenty times the speed.
//! This module works on text only; `configuration` chooses the files.
//!
//! Numbers in thresholds and texts, and the names of recorded series, stay unchanged.

use std::time::Duration;

use crate::yaml::indent;

/// With a shorter interval, a scrape costs more than its samples are worth.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// A rate needs two samples. A window of four scrape intervals contains two samples even when a scrape is late.
const SCRAPES_IN_A_WINDOW: u32 = 4;

/// The speed of the monitoring, and the scrape interval that follows from it.
#[derive(Clone, Copy)]
pub struct Pace {
    speed: u32,
    real_interval: Duration,
    interval: Duration,
}

impl Pace {
    /// The pace of a Prometheus whose configuration is `text`, at this speed.
    pub fn of(text: &str, speed: u32) -> Self {
        let interval = text.lines().filter_map(field).find(|(_, key, _)| *key == "scrape_interval").and_then(|(_, _, value)| parse(value));
        let real_interval = interval.unwrap_or(Duration::from_mins(1));
        Self { speed, real_interval, interval: (real_interval / speed).max(LEAST_INTERVAL) }
    }

    /// The scrape interval at this speed.
    #[must_use]
    pub fn interval(self) -> Duration {
        self.interval
    }

    /// The scrape interval in production.
    #[must_use]
    pub fn real_interval(self) -> Duration {
        self.real_interval
    }

    /// A production duration at this speed, but at least one scrape interval.
    #[must_use]
    pub fn shortened(self, long: Duration) -> Duration {
        (long / self.speed).max(self.interval)
    }

    /// Shortens the intervals in Prometheus' own configuration. A scrape may take as long as the scrape interval.
    #[must_use]
    pub fn prometheus(self, text: &str) -> String {
        each_field(text, |key, value| match key {
            "scrape_interval" | "evaluation_interval" => Some(self.shorter(value, LEAST_INTERVAL)),
            "scrape_timeout" => Some(written(self.interval)),
            _ => None,
        })
    }

    /// Shortens the waits in Alertmanager's configuration.
    #[must_use]
    pub fn alertmanager(self, text: &str) -> String {
        each_field(text, |key, value| match key {
            "group_wait" | "group_interval" | "repeat_interval" | "resolve_timeout" => Some(self.shorter(value, LEAST_WAIT)),
            _ => None,
        })
    }

    /// Shortens the intervals, windows, offsets and waits in a file of rules.
    #[must_use]
    pub fn rules(self, text: &str) -> String {
        // The current block and its indentation; lines with deeper indentation belong to the block.
        let mut block: Option<(usize, Block)> = None;
        let line = |line: &str| {
            if block.is_some_and(|(depth, _)| !line.trim().is_empty() && indent(line) <= depth) {
                block = None;
            }
            match (block, field(line)) {
                (Some((_, Block::Text)), _) | (None, None) => line.to_owned(),
                (Some((_, Block::Expression)), _) => self.expression(line),
                (None, Some((before, key, value))) => match key {
                    "expr" => {
                        block = Some((before, Block::Expression));
                        let (head, value) = line.split_at(line.len() - value.len());
                        format!("{head}{}", self.expression(value))
                    }
                    "annotations" => {
                        block = Some((before, Block::Text));
                        line.to_owned()
                    }
                    "for" | "keep_firing_for" => replaced(line, value, &self.shorter(value, LEAST_WAIT)),
                    "interval" => replaced(line, value, &self.shorter(value, LEAST_INTERVAL)),
                    _ => line.to_owned(),
                },
            }
        };
        text.split_inclusive('\n').map(line).collect()
    }

    /// Shortens the durations of an expression: those in brackets, and those after `offset`.
    #[must_use]
    pub fn expression(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let (mut in_brackets, mut after_offset) = (false, false);
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' | '\'' | '`' => quoted(rest, first),
                _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                _ => first.len_utf8(),
            };
            let (token, after) = rest.split_at(length);
            out.push_str(&match (in_brackets, after_offset) {
                (true, _) => self.shorter(token, self.interval * SCRAPES_IN_A_WINDOW),
                (false, true) => self.shorter(token, LEAST_WAIT),
                (false, false) => token.to_owned(),
            });
            in_brackets = token == "[" || (in_brackets && token != "]");
            after_offset = token == "offset" || (after_offset && [" ", "-"].contains(&token));
            rest = after;
        }
        out
    }

    /// A duration at this pace, but at least `least`. Zero stays zero, and text that is not a duration stays unchanged.
    fn shorter(self, text: &str, least: Duration) -> String {
        match parse(text) {
            Some(long) if !long.is_zero() => text.replace(text.trim(), &written((long / self.speed).max(least))),
            _ => text.to_owned(),
        }
    }
}

#[derive(Clone, Copy)]
enum Block {
    Expression,
    Text,
}

fn each_field(text: &str, change: impl Fn(&str, &str) -> Option<String>) -> String {
    let line = |line: &str| {
        let changed = field(line).and_then(|(_, key, value)| Some((value, change(key, value)?)));
        changed.map_or_else(|| line.to_owned(), |(value, other)| replaced(line, value, &other))
    };
    text.split_inclusive('\n').map(line).collect()
}

/// A line's indentation, key and value. The first key of a list item has the same indentation as the item's other keys.
fn field(line: &str) -> Option<(usize, &str, &str)> {
    let (head, value) = line.split_once(": ").or_else(|| line.trim_end().strip_suffix(':').map(|head| (head, "")))?;
    let key = head.trim_start_matches([' ', '-']);
    Some((head.len() - key.len(), key, value))
}

fn replaced(line: &str, value: &str, other: &str) -> String {
    let head = line.strip_suffix(value).unwrap_or(line);
    format!("{head}{}\n", other.trim_end())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The length of a quoted string, including its quotes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// Parses a duration of Prometheus or Alertmanager, such as `90s` or `1h30m`; ignores a YAML comment after it.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.split(" #").next()?.trim();
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        sum += Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(milliseconds)?);
        rest = after;
    }
    Some(sum)
}

/// Formats a duration so that [`parse`] reads it.
#[must_use]
pub fn written(duration: Duration) -> String {
    match duration.as_millis() {
        whole if whole.is_multiple_of(1_000) => format!("{}s", whole / 1_000),
        milliseconds => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMETHEUS: &str = "\
global:
  scrape_interval: 15s
  scrape_timeout: 10s
  evaluation_interval: 15s # as often
";

    fn pace(speed: u32) -> Pace {
        Pace::of(PROMETHEUS, speed)
    }

    #[test]
    fn scrape_intervals_are_divided_down_to_one_second() {
        let expected = "global:\n  scrape_interval: 1500ms\n  scrape_timeout: 1500ms\n  evaluation_interval: 1500ms\n";
        assert_eq!(pace(10).prometheus(PROMETHEUS), expected);
        assert!(pace(20).prometheus(PROMETHEUS).contains("scrape_interval: 1s\n"));
    }

    #[test]
    fn intervals_windows_offsets_and_waits_of_rules_are_divided_and_nothing_else() {
        let rules = r#"
groups:
  - name: numbers of 5m
    interval: 30s
    rules:
      # Looks back [1h].
      - record: route:http_requests:rate5m
        expr: sum by (route) (rate(http_requests_total{route=~"/[5m]\"[5m]"}[5m]))
      - alert: Slow
        expr: |
          job:http_requests:rate5m > 300
          and max_over_time(x[1h30m:5m] offset 1d) > y offset -10m + 5
        for: 2m
        keep_firing_for: 10m
        annotations:
          summary: "Slow for: 5m"
          description: >
            offset 5m, [5m]
            for: 5m
        labels:
          severity: warning
"#;
        let expected = r#"
groups:
  - name: numbers of 5m
    interval: 1500ms
    rules:
      # Looks back [1h].
      - record: route:http_requests:rate5m
        expr: sum by (route) (rate(http_requests_total{route=~"/[5m]\"[5m]"}[15s]))
      - alert: Slow
        expr: |
          job:http_requests:rate5m > 300
          and max_over_time(x[270s:15s] offset 4320s) > y offset -30s + 5
        for: 6s
        keep_firing_for: 30s
        annotations:
          summary: "Slow for: 5m"
          description: >
            offset 5m, [5m]
            for: 5m
        labels:
          severity: warning
"#;
        assert_eq!(pace(20).rules(rules), expected);
    }

    #[test]
    fn a_window_holds_at_least_four_scrapes_and_a_wait_other_than_zero_lasts_at_least_a_second() {
        let rules = "  - alert: A\n    expr: rate(x[1m]) > 0\n    for: 10s\n  - alert: B\n    for: 0s\n";
        let expected = "  - alert: A\n    expr: rate(x[4s]) > 0\n    for: 1s\n  - alert: B\n    for: 0s\n";
        assert_eq!(pace(60).rules(rules), expected);
    }

    #[test]
    fn notifications_are_sent_sooner() {
        let text = "global:\n  resolve_timeout: 5m\nroute:\n  group_wait: 15s\n  routes:\n    - group_wait: 0s\n      \
                    repeat_interval: 4h\n      receiver: team\n";
        let expected = "global:\n  resolve_timeout: 15s\nroute:\n  group_wait: 1s\n  routes:\n    - group_wait: 0s\n      \
                        repeat_interval: 720s\n      receiver: team\n";
        assert_eq!(pace(20).alertmanager(text), expected);
    }
}
