//! A figure, such as the CPU time of one unit of work, at growing amounts of work. Only ratios of figures from the same run are judged and
//! shown.

use std::collections::BTreeMap;

use crate::peers::results::median;
use devstack::report::Outcome;

/// The measurements of one kind of work.
#[derive(Debug)]
pub struct Curve {
    /// The measured figure in words, such as "CPU of a job" or "open files".
    pub what: String,
    /// The unit in which amounts are counted, as a plural noun, such as "rows".
    pub unit: &'static str,
    /// The largest allowed growth.
    pub limit: f64,
    /// By amount: one figure per round. A round measures all amounts one after another, so that its figures are comparable.
    rounds: BTreeMap<u64, Vec<f64>>,
}

impl Curve {
    /// A curve without figures.
    pub fn new(what: impl Into<String>, unit: &'static str, limit: f64) -> Self {
        Self { what: what.into(), unit, limit, rounds: BTreeMap::new() }
    }

    /// Adds the figure of the next round at this amount.
    pub fn add(&mut self, amount: u64, figure: f64) {
        self.rounds.entry(amount).or_default().push(figure);
    }

    /// The amounts, ascending.
    pub fn amounts(&self) -> impl Iterator<Item = u64> {
        self.rounds.keys().copied()
    }

    /// The cost at each amount, divided by the cost at the smallest amount.
    pub fn ratios(&self) -> Vec<(u64, f64)> {
        let Some(first) = self.amounts().next() else { return Vec::new() };
        self.amounts().filter_map(|amount| Some((amount, self.ratio(amount, first)?))).collect()
    }

    /// The largest ratio of the cost at an amount to the cost at any smaller amount. `None` when fewer than two amounts were measured.
    pub fn growth(&self) -> Option<f64> {
        let amounts: Vec<u64> = self.amounts().collect();
        let pairs = amounts.iter().enumerate().flat_map(|(at, amount)| amounts[..at].iter().map(move |smaller| (*amount, *smaller)));
        pairs.filter_map(|(amount, smaller)| self.ratio(amount, smaller)).reduce(f64::max)
    }

    /// The cost at an amount divided by the cost at the other amount: the median over rounds.
    fn ratio(&self, amount: u64, other: u64) -> Option<f64> {
        let quotients = self.rounds.get(&amount)?.iter().zip(self.rounds.get(&other)?).map(|(figure, other)| figure / other);
        median(quotients.collect()).filter(|ratio| ratio.is_finite())
    }

    /// Whether the growth is within its limit.
    pub fn is_met(&self) -> bool {
        self.growth().is_some_and(|growth| growth <= self.limit)
    }

    /// The row of the report.
    pub fn outcome(&self) -> Outcome {
        let Some(growth) = self.growth() else { return Outcome::failed("fewer than two amounts were measured") };
        let steps: Vec<String> = self.ratios().iter().map(|(amount, ratio)| format!("{ratio:.2} at {}", grouped(*amount))).collect();
        let note = format!("{} {}; growth {growth:.2}, at most {:.2}", steps.join(", "), self.unit, self.limit);
        Outcome::from(self.is_met()).with_note(note)
    }
}

/// A number with a comma between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(limit: f64, rounds: &[[f64; 3]]) -> Curve {
        let mut curve = Curve::new("CPU of a page", "rows", limit);
        for round in rounds {
            for (amount, figure) in [10, 100, 1000].into_iter().zip(round) {
                curve.add(amount, *figure);
            }
        }
        curve
    }

    #[test]
    fn growth_is_measured_from_the_cheapest_smaller_amount() {
        let curve = curve(1.2, &[[8.0, 2.0, 3.0]]);
        assert_eq!(curve.ratios(), [(10, 1.0), (100, 0.25), (1000, 0.375)]);
        assert_eq!(curve.growth(), Some(1.5));
        assert!(!curve.is_met());
        assert_eq!(curve.outcome().failed, 1);
    }

    #[test]
    fn a_disturbance_of_a_whole_round_cancels_out_and_one_slow_figure_does_not_count() {
        let curve = curve(1.2, &[[1.0, 1.0, 1.1], [5.0, 5.0, 5.5], [1.0, 1.0, 9.0]]);
        assert!((curve.growth().unwrap() - 1.1).abs() < 1e-9, "{curve:?}");
        assert_eq!(curve.outcome().passed, 1);
    }

    #[test]
    fn a_single_amount_proves_nothing() {
        let mut curve = Curve::new("CPU of a page", "rows", 1.2);
        curve.add(10, 1.0);
        assert_eq!(curve.growth(), None);
        assert_eq!(curve.outcome().failed, 1);
    }

    #[test]
    fn numbers_have_groups_of_three_digits() {
        assert_eq!([7, 1000, 1_000_000].map(grouped), ["7", "1,000", "1,000,000"]);
    }
}
