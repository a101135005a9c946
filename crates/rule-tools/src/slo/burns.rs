//! The burn rates that raise alerts, and the format of numbers in rules and texts.
//!
//! An alert fires only while the share of errors exceeds its limit over two windows: the long window shows that the burn is significant,
//! the short window shows that the burn continues.

use super::spec::{Slo, Texts};

/// The period of an error budget, in days.
pub const PERIOD: f64 = 30.0;

/// A burn rate that raises an alert.
pub struct Burn {
    /// The burn rate: 1 uses up the budget in exactly its period.
    pub factor: f64,
    /// The window that shows that the burn is significant.
    pub long: &'static str,
    /// The window that shows that the burn continues.
    pub short: &'static str,
    /// How long both windows must exceed the limit.
    pub wait: &'static str,
    /// Whether the alert pages somebody.
    pub is_page: bool,
}

/// The burn rates, fastest first.
pub const BURNS: [Burn; 4] = [
    Burn { factor: 14.4, long: "1h", short: "5m", wait: "2m", is_page: true },
    Burn { factor: 6.0, long: "6h", short: "30m", wait: "15m", is_page: true },
    Burn { factor: 3.0, long: "1d", short: "2h", wait: "1h", is_page: false },
    Burn { factor: 1.0, long: "3d", short: "6h", wait: "3h", is_page: false },
];

impl Burn {
    /// The share of errors at which an objective's budget burns at this rate.
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

    /// Annotations of the alert; `share` is the template of the share of errors.
    pub fn annotations(&self, slo: &Slo, share: &str) -> Texts {
        let limit = number(100.0 * self.limit(slo));
        let lasts = (PERIOD / self.factor).round();
        let description = format!(
            "{}: {share} of events over the last {} violated this, and the burn continues (limit {limit}%, which uses up the error budget of {PERIOD} days in {lasts} days).",
            slo.description, self.long
        );
        slo.alerting.annotations.clone().into_iter().chain([("description".to_owned(), description)]).collect()
    }
}

/// Formats a number with at most six decimals: 14.4 times 0.001 is 0.0144, without floating-point noise.
pub fn number(number: f64) -> String {
    let digits = format!("{number:.6}");
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_floating_point_noise() {
        assert_eq!(number(14.4 * (1.0 - 99.9 / 100.0)), "0.0144");
        assert_eq!(number(99.9 / 100.0), "0.999");
        assert_eq!(number(30.0), "30");
    }
}
