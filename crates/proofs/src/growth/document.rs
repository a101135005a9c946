//! The table of docs/PERFORMANCE.md, between the markers of `growth`. The text around it is written by hand.

use std::fmt::Write as _;

use super::curve::{Curve, grouped};
use crate::machine;

/// The conditions of a run.
pub struct Conditions {
    pub rounds: u32,
    pub cores: usize,
    /// The number of measurements, and the number of those that other programs disturbed.
    pub measured: (u32, u32),
}

/// The generated part.
pub fn table(conditions: &Conditions, curves: &[Curve]) -> String {
    let Conditions { rounds, cores, measured: (measured, disturbed) } = conditions;
    let mut text = format!(
        "Measured on {}, {cores} cores; medians of {rounds} rounds; other programs used more than a tenth of the machine during {disturbed} of \
         {measured} measurements of CPU time.\n\n![Cost of one unit of work at growing amounts of work](growth.svg)\n\n\
         | cost of one unit | amounts | cost ÷ cost at the first amount | growth | at most | |\n| --- | --- | --- | --: | --: | --- |\n",
        machine::processor()
    );
    for curve in curves {
        let (amounts, ratios): (Vec<_>, Vec<_>) =
            curve.ratios().into_iter().map(|(amount, ratio)| (grouped(amount), format!("{ratio:.2}"))).unzip();
        let growth = curve.growth().map_or_else(|| "-".to_owned(), |growth| format!("{growth:.2}"));
        let verdict = if curve.is_met() { "met" } else { "missed" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} {} | {} | {growth} | {:.2} | {verdict} |",
            curve.what,
            amounts.join(" · "),
            curve.unit,
            ratios.join(" · "),
            curve.limit
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_amounts_ratios_and_a_verdict() {
        let mut curve = Curve::new("CPU of a page", "rows", 1.2);
        for (amount, figure) in [(1_000, 2.0), (1_000_000, 2.5)] {
            curve.add(amount, figure);
        }
        let text = table(&Conditions { rounds: 1, cores: 2, measured: (2, 1) }, &[curve]);
        assert!(text.contains("| CPU of a page | 1,000 · 1,000,000 rows | 1.00 · 1.25 | 1.25 | 1.20 | missed |\n"), "{text}");
        assert!(text.contains("during 1 of 2 measurements"), "{text}");
    }
}
