//! Which speeds of burning are told, and numbers as rules and texts write them.
//!
//! An alert wants two windows: the long one shows that it matters, the short one that it goes on.

use super::spec::{Slo, Texts};

/// The time for which a budget is meant, in days.
pub const PERIOD: f64 = 30.0;

/// A speed of burning that people are told of.
pub struct Burn {
    /// How many times as fast as the budget lasts.
    pub factor: f64,
    /// The window that shows that it matters.
    pub long: &'static str,
    /// The window that shows that it goes on.
    pub short: &'static str,
    /// How long both must say so.
    pub wait: &'static str,
    /// Whether somebody is called.
    pub is_page: bool,
}

/// The fastest first.
pub const BURNS: [Burn; 4] = [
    Burn { factor: 14.4, long: "1h", short: "5m", wait: "2m", is_page: true },
    Burn { factor: 6.0, long: "6h", short: "30m", wait: "15m", is_page: true },
    Burn { factor: 3.0, long: "1d", short: "2h", wait: "1h", is_page: false },
    Burn { factor: 1.0, long: "3d", short: "6h", wait: "3h", is_page: false },
];

impl Burn {
    /// The share of errors above which the budget of an objective burns so fast.
    pub fn limit(&self, slo: &Slo) -> f64 {
        self.factor * slo.budget()
    }

    /// Labels of the alert.
    pub fn labels(&self, slo: &Slo) -> Texts {
        let urgency = if self.is_page { &slo.alerting.page_alert } else { &slo.alerting.ticket_alert };
        let own = [("slo", slo.name.as_str()), ("long_window", self.long), ("short_window", self.short)];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        own.into_iter().chain(slo.labels.clone()).chain(urgency.labels.clone()).collect()
    }

    /// Annotations of the alert, where `share` stands for the share of errors.
    pub fn annotations(&self, slo: &Slo, share: &str) -> Texts {
        let limit = number(100.0 * self.limit(slo));
        let lasts = (PERIOD / self.factor).round();
        let description = format!(
            "{}: {share} of events in the last {} missed this objective, and the last {} is above the limit, too \
             (limit {limit}%, which uses up the error budget of {PERIOD} days in {lasts} days).",
            slo.description, self.long, self.short
        );
        slo.alerting.annotations.clone().into_iter().chain([("description".to_owned(), description)]).collect()
    }
}

/// A number in plain digits: 14.4 times 0.001 is 0.0144, whatever a computer makes of it.
pub fn number(number: f64) -> String {
    let digits = format!("{number:.6}");
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_digits_that_are_not_meant() {
        assert_eq!(number(14.4 * (1.0 - 99.9 / 100.0)), "0.0144");
        assert_eq!(number(99.9 / 100.0), "0.999");
        assert_eq!(number(30.0), "30");
    }
}
