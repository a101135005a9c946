//! The measurements by target: samples of every round, and their medians. `goals.rs` holds the limits.

use std::collections::BTreeMap;

use super::cases::Case;
use super::target::Name;

/// One measurement of a case.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// CPU time of the server per request, in microseconds.
    pub cpu_micros: f64,
    /// 99th percentile of the response time, in milliseconds.
    pub p99_ms: f64,
    /// The server's CPU time divided by the duration of the measurement. The server runs on one core.
    pub busy: f64,
    /// Mean size of a response including its headers, in bytes.
    pub bytes: f64,
    /// Whether other programs disturbed this measurement and all earlier attempts at it.
    pub disturbed: bool,
}

/// Figures that are not about requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// Memory after the start, in MB.
    IdleMemory,
    /// Memory after all cases, in MB.
    LoadedMemory,
    /// Memory of one silent Socket.IO connection, in kB.
    Socket,
    /// CPU of an idle server, in percent of a core.
    IdleCpu,
}

/// All measurements of a run.
#[derive(Debug, Default)]
pub struct Results {
    samples: BTreeMap<(Name, Case), Vec<Sample>>,
    sizes: BTreeMap<(Name, Size), Vec<f64>>,
}

impl Results {
    /// Adds a measurement of a case.
    pub fn add(&mut self, name: Name, case: Case, sample: Sample) {
        self.samples.entry((name, case)).or_default().push(sample);
    }

    /// Adds a measurement that is not about requests.
    pub fn add_size(&mut self, name: Name, size: Size, value: f64) {
        self.sizes.entry((name, size)).or_default().push(value);
    }

    /// The median over rounds of one figure of a case.
    pub fn median(&self, name: Name, case: Case, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        median(self.samples.get(&(name, case))?.iter().map(of).collect())
    }

    /// The median over rounds of a figure that is not about requests.
    pub fn size(&self, name: Name, size: Size) -> Option<f64> {
        median(self.sizes.get(&(name, size))?.clone())
    }

    /// Vitrine's median divided by another target's.
    pub fn ratio(&self, other: Name, case: Case, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        self.quotient(Name::Vitrine, other, case, of)
    }

    /// The median of one target divided by another target's.
    pub fn quotient(&self, name: Name, other: Name, case: Case, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        divide(self.median(name, case, &of)?, self.median(other, case, &of)?)
    }

    /// The same for figures that are not about requests.
    pub fn size_ratio(&self, other: Name, size: Size) -> Option<f64> {
        divide(self.size(Name::Vitrine, size)?, self.size(other, size)?)
    }

    /// Whether more than half of the rounds of a case were disturbed, so that its median is meaningless.
    pub fn is_disturbed(&self, name: Name, case: Case) -> bool {
        let samples = self.samples.get(&(name, case)).map_or(&[][..], Vec::as_slice);
        2 * samples.iter().filter(|sample| sample.disturbed).count() > samples.len()
    }
}

/// The middle value, or the mean of the two in the middle.
#[expect(clippy::manual_midpoint, reason = "both values are small, and the formula of a mean is easier to read")]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { (values[middle - 1] + upper) / 2.0 })
}

/// `None` if the divisor is not positive or the dividend is not finite.
fn divide(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0 && part.is_finite()).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn sample(cpu_micros: f64, disturbed: bool) -> Sample {
        Sample { cpu_micros, p99_ms: cpu_micros / 10.0, busy: 1.0, bytes: 100.0, disturbed }
    }

    fn results(vitrine: &[f64], fastify: &[f64]) -> Results {
        let mut results = Results::default();
        for (name, values) in [(Name::Vitrine, vitrine), (Name::Fastify, fastify)] {
            for value in values {
                results.add(name, Case::Health, sample(*value, *value > 90.0));
            }
        }
        results
    }

    fn assert_near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-9), "{found:?}, not {expected}");
    }

    #[test]
    fn one_slow_round_does_not_move_the_median() {
        assert_near(median(vec![900.0, 10.0, 12.0]), 12.0);
        assert_near(median(vec![1.0, 4.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn ratios_are_those_of_medians() {
        let results = results(&[10.0, 12.0, 99.0], &[24.0, 20.0, 30.0]);
        assert_near(results.ratio(Name::Fastify, Case::Health, |sample| sample.cpu_micros), 0.5);
        assert_eq!(results.ratio(Name::PlainAxum, Case::Health, |sample| sample.cpu_micros), None);
        assert_eq!(results.ratio(Name::Fastify, Case::Me, |sample| sample.cpu_micros), None);
    }

    #[test]
    fn a_ratio_that_is_not_finite_is_none() {
        assert_eq!(divide(1.0, 0.0), None);
        assert_eq!(divide(f64::NAN, 1.0), None);
    }

    #[test]
    fn a_case_is_disturbed_when_most_of_its_rounds_were() {
        assert!(results(&[91.0, 92.0, 10.0], &[]).is_disturbed(Name::Vitrine, Case::Health));
        assert!(!results(&[91.0, 11.0, 10.0], &[]).is_disturbed(Name::Vitrine, Case::Health));
    }
}
