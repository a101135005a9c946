//! What a query showed while nothing happened, and whether it shows something else now.

use std::collections::BTreeMap;

use super::shown::Shown;

/// Beside the band, as a part of its width: the next values of something that varies may vary a little more.
const OF_WIDTH: f64 = 0.5;
/// Beside the band, as a part of what is shown: what does not vary at all may be reckoned otherwise in the last digits.
const OF_VALUE: f64 = 0.02;
/// What grows by itself may grow so many times as fast.
const OF_DRIFT: f64 = 2.0;

/// The bands of a query's series, by their labels.
pub struct Bands(BTreeMap<String, Band>);

/// Between which values a series was.
struct Band {
    low: f64,
    high: f64,
    /// By how much it grows in a second, if it did nothing but that (or shrinks, below zero).
    drift: f64,
    /// When it was last looked at.
    until: f64,
    /// Whether it had a value whenever it was looked at.
    is_steady: bool,
}

impl Bands {
    /// What was shown at each of so many times.
    pub fn of(quiet: &Shown, times: usize) -> Self {
        Self(quiet.iter().filter_map(|(labels, points)| Some((labels.clone(), Band::of(points, times)?))).collect())
    }

    /// When something first was otherwise: a value outside of its band, a series that was not there, or one that is there no more.
    pub fn left(&self, shown: &Shown, from: f64) -> Option<f64> {
        let outside = shown.iter().filter_map(|(labels, points)| match self.0.get(labels) {
            Some(band) => points.iter().find(|(time, value)| !band.holds(*time, *value)).map(|(time, _)| *time),
            None => points.first().map(|(time, _)| *time),
        });
        let gone = self.0.iter().filter(|(labels, band)| band.is_steady && !shown.contains_key(*labels)).map(|_| from);
        outside.chain(gone).min_by(f64::total_cmp)
    }
}

impl Band {
    fn of(points: &[(f64, f64)], times: usize) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let values = points.iter().map(|(_, value)| *value);
        let only_grows = points.windows(2).all(|pair| pair[0].1 <= pair[1].1);
        let only_shrinks = points.windows(2).all(|pair| pair[0].1 >= pair[1].1);
        let drift = if last.0 > first.0 && (only_grows || only_shrinks) { (last.1 - first.1) / (last.0 - first.0) } else { 0.0 };
        Some(Self {
            low: values.clone().fold(f64::INFINITY, f64::min),
            high: values.fold(f64::NEG_INFINITY, f64::max),
            drift,
            until: last.0,
            is_steady: points.len() >= times,
        })
    }

    fn holds(&self, time: f64, value: f64) -> bool {
        if value.is_infinite() {
            return if value > 0.0 { self.high.is_infinite() } else { self.low.is_infinite() };
        }
        let margin = OF_WIDTH * (self.high - self.low) + OF_VALUE * self.high.abs().max(self.low.abs());
        let drifted = OF_DRIFT * self.drift * (time - self.until);
        value >= self.low - margin + drifted.min(0.0) && value <= self.high + margin + drifted.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(labels: &str, values: &[f64]) -> Shown {
        let points = values.iter().zip(0_u32..).map(|(value, time)| (f64::from(time), *value)).collect();
        Shown::from([(labels.to_owned(), points)])
    }

    /// When values after these are otherwise.
    fn left(before: &[f64], after: &[f64]) -> Option<f64> {
        let mut later = shown("a", after);
        let start = f64::from(u32::try_from(before.len()).unwrap());
        later.values_mut().flatten().for_each(|(time, _)| *time += start);
        Bands::of(&shown("a", before), before.len()).left(&later, start)
    }

    #[test]
    fn values_of_before_are_no_movement() {
        assert_eq!(left(&[1.0, 3.0, 2.0], &[2.0, 3.5, 0.5]), None);
        assert_eq!(left(&[0.0, 0.0], &[0.0, 0.0]), None);
        assert_eq!(left(&[3.0, 3.0], &[3.01]), None);
    }

    #[test]
    fn a_value_above_or_below_is_one_and_its_time_is_told() {
        assert_eq!(left(&[1.0, 3.0, 2.0], &[2.0, 9.0, 2.0]), Some(4.0));
        assert_eq!(left(&[3.0, 3.0], &[2.0]), Some(2.0));
        assert_eq!(left(&[0.0, 0.0], &[0.001]), Some(2.0));
        assert_eq!(left(&[1.0, 2.0], &[f64::INFINITY]), Some(2.0));
    }

    #[test]
    fn what_grows_by_itself_moves_when_it_stops_to() {
        let uptime = [10.0, 11.0, 12.0, 13.0];
        assert_eq!(left(&uptime, &[14.0, 15.0, 16.0]), None);
        assert_eq!(left(&uptime, &[14.0, 0.0]), Some(5.0));
        assert_eq!(left(&uptime, &[40.0]), Some(4.0));
    }

    #[test]
    fn a_series_that_comes_or_goes_is_a_movement() {
        let bands = Bands::of(&shown("a", &[1.0, 1.0]), 2);
        let both = shown("a", &[1.0]).into_iter().chain(shown("b", &[1.0])).collect();
        assert_eq!(bands.left(&both, 0.0), Some(0.0));
        assert_eq!(bands.left(&Shown::new(), 7.0), Some(7.0));
        // One that was there only at times.
        assert_eq!(Bands::of(&shown("a", &[1.0]), 2).left(&Shown::new(), 7.0), None);
    }
}
