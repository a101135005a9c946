//! The baseline of a query: the usual range of each of its series. Later values outside of it mean that the panel has moved.

use std::collections::BTreeMap;

use serde_json::Value;

use super::shown::Shown;

/// Margin on both sides of a range, as a share of the width of the range: later values of a varying series may vary a little more.
const WIDTH_MARGIN: f64 = 0.5;
/// Margin on both sides of a range, as a share of the query's largest value: a smaller change is hardly visible.
const SCALE_MARGIN: f64 = 0.02;
/// Replaces [`SCALE_MARGIN`] for a heatmap, where a change by a tenth of the largest value is only one shade.
const HEATMAP_MARGIN: f64 = 0.1;
/// A steadily growing series stays within its baseline if it stops, or grows up to this many times as fast. Growth is steady if the fastest
/// growth between two samples is at most this many times the slowest.
const DRIFT_FACTOR: f64 = 2.0;

/// The baselines of a query's series.
pub struct Baseline {
    by_labels: BTreeMap<String, Range>,
    /// The range of all series together, if some of them lack samples in the baseline. A new series is then a movement only outside of it.
    range_of_all: Option<Range>,
    margins: Margins,
    /// The alerts that the cause raises. Unless the list is empty, the series of an alert counts as a movement only if the series is new
    /// and its alert is in the list.
    alerts: Vec<&'static str>,
}

/// How far outside of its range a value may be.
#[derive(Clone, Copy)]
struct Margins {
    width_margin: f64,
    min_margin: f64,
}

/// The range of a series' values.
struct Range {
    low: f64,
    high: f64,
    /// Growth per second if the series grows steadily (negative if it shrinks), otherwise 0.
    drift: f64,
    /// The time of the last sample.
    last_time: f64,
    /// Whether the series has a value at every sample of the baseline.
    is_steady: bool,
}

impl Baseline {
    /// The baseline of a recording with `times` samples.
    pub fn of(quiet: &Shown, times: usize) -> Self {
        let by_labels: BTreeMap<_, _> =
            quiet.iter().filter_map(|(labels, points)| Some((labels.clone(), Range::of(points, times)?))).collect();
        let all: Vec<(f64, f64)> = quiet.values().flatten().copied().collect();
        let some_are_intermittent = by_labels.values().any(|range| !range.is_steady);
        let range_of_all = Range::of(&all, times).filter(|_| some_are_intermittent).map(|range| Range { drift: 0.0, ..range });
        let min_margin = SCALE_MARGIN * all.iter().map(|(_, value)| value.abs()).filter(|value| value.is_finite()).fold(0.0, f64::max);
        Self { by_labels, range_of_all, margins: Margins { width_margin: WIDTH_MARGIN, min_margin }, alerts: Vec::new() }
    }

    /// The same baseline with the margin of a heatmap.
    pub fn in_shades(mut self) -> Self {
        self.margins.min_margin *= HEATMAP_MARGIN / SCALE_MARGIN;
        self
    }

    /// The same baseline with wider margins, for a panel that has moved `times` times without its cause.
    pub fn restless(mut self, times: u8) -> Self {
        self.margins.width_margin *= f64::from(1_u32 << times);
        self
    }

    /// The same baseline for a cause that raises these alerts. Other alerts may fire and resolve on a saturated machine.
    pub fn of_alerts(mut self, alerts: &[&'static str]) -> Self {
        self.alerts = alerts.to_vec();
        self
    }

    /// The time of the first movement: a value outside of its range, a new series, or the end of a series.
    pub fn left(&self, shown: &Shown, from: f64) -> Option<f64> {
        let outside = shown.iter().filter_map(|(labels, points)| {
            let range = self.by_labels.get(labels);
            let left = match (self.raised_by_cause(labels), range.or(self.range_of_all.as_ref())) {
                (Some(is_of_cause), _) => points.first().filter(|_| is_of_cause && range.is_none()),
                (None, Some(range)) => points.iter().find(|(time, value)| !range.holds(*time, *value, self.margins)),
                (None, None) => points.first(),
            };
            left.map(|(time, _)| *time)
        });
        let disappeared = self
            .by_labels
            .iter()
            .filter(|(labels, range)| range.is_steady && self.raised_by_cause(labels).is_none() && !shown.contains_key(*labels));
        let disappeared = disappeared.map(|_| from);
        outside.chain(disappeared).min_by(f64::total_cmp)
    }

    /// Whether the cause raises the alert of a series. `None` if the series is not an alert, or the cause raises none.
    fn raised_by_cause(&self, labels: &str) -> Option<bool> {
        if self.alerts.is_empty() {
            return None;
        }
        let labels: Value = serde_json::from_str(labels).ok()?;
        let alert = labels["alertname"].as_str()?;
        Some(self.alerts.contains(&alert))
    }
}

impl Range {
    fn of(points: &[(f64, f64)], times: usize) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let values = points.iter().map(|(_, value)| *value);
        let speeds = points.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0));
        let (slowest, fastest) = speeds.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), speed| (low.min(speed), high.max(speed)));
        let is_even = slowest * fastest > 0.0 && slowest.abs().max(fastest.abs()) <= DRIFT_FACTOR * slowest.abs().min(fastest.abs());
        let drift = if is_even { (last.1 - first.1) / (last.0 - first.0) } else { 0.0 };
        Some(Self {
            low: values.clone().fold(f64::INFINITY, f64::min),
            high: values.fold(f64::NEG_INFINITY, f64::max),
            drift,
            last_time: last.0,
            is_steady: points.len() >= times,
        })
    }

    fn holds(&self, time: f64, value: f64, margins: Margins) -> bool {
        if value.is_infinite() {
            return if value > 0.0 { self.high.is_infinite() } else { self.low.is_infinite() };
        }
        let margin = margins.width_margin * (self.high - self.low) + margins.min_margin;
        let drifted = DRIFT_FACTOR * self.drift * (time - self.last_time);
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

    /// The time at which the values `after` leave the baseline of the values `before`.
    fn left(before: &[f64], after: &[f64]) -> Option<f64> {
        let mut later = shown("a", after);
        let start = f64::from(u32::try_from(before.len()).unwrap());
        later.values_mut().flatten().for_each(|(time, _)| *time += start);
        Baseline::of(&shown("a", before), before.len()).left(&later, start)
    }

    #[test]
    fn values_near_the_baseline_are_no_movement() {
        assert_eq!(left(&[1.0, 3.0, 2.0], &[2.0, 3.5, 0.5]), None);
        assert_eq!(left(&[0.0, 0.0], &[0.0, 0.0]), None);
        assert_eq!(left(&[3.0, 3.0], &[3.01]), None);
    }

    #[test]
    fn a_value_far_from_the_baseline_is_a_movement_and_its_time_is_returned() {
        assert_eq!(left(&[1.0, 3.0, 2.0], &[2.0, 9.0, 2.0]), Some(4.0));
        assert_eq!(left(&[3.0, 3.0], &[2.0]), Some(2.0));
        assert_eq!(left(&[0.0, 0.0], &[0.001]), Some(2.0));
        assert_eq!(left(&[1.0, 2.0], &[f64::INFINITY]), Some(2.0));
    }

    #[test]
    fn a_steadily_growing_series_moves_when_it_grows_much_faster_or_is_reset() {
        let uptime = [10.0, 11.0, 12.0, 13.0];
        assert_eq!(left(&uptime, &[14.0, 15.0, 16.0]), None);
        assert_eq!(left(&uptime, &[14.0, 0.0]), Some(5.0));
        assert_eq!(left(&uptime, &[40.0]), Some(4.0));
        // A counter whose growth in the baseline is not steady.
        assert_eq!(left(&[0.0, 1.0, 5.0, 5.0], &[9.0]), Some(4.0));
    }

    #[test]
    fn a_series_that_appears_or_disappears_is_a_movement() {
        let baseline = Baseline::of(&shown("a", &[1.0, 1.0]), 2);
        let both = shown("a", &[1.0]).into_iter().chain(shown("b", &[1.0])).collect();
        assert_eq!(baseline.left(&both, 0.0), Some(0.0));
        assert_eq!(baseline.left(&Shown::new(), 7.0), Some(7.0));
    }

    #[test]
    fn a_barely_visible_change_is_no_movement() {
        let both = |few: f64| shown("many", &[50.0]).into_iter().chain(shown("few", &[few])).collect::<Shown>();
        let baseline = || Baseline::of(&both(0.0), 1);
        assert_eq!(baseline().left(&both(1.0), 0.0), None);
        assert_eq!(baseline().left(&both(2.0), 0.0), Some(0.0));
        assert_eq!(baseline().in_shades().left(&both(5.0), 0.0), None);
        assert_eq!(baseline().in_shades().left(&both(6.0), 0.0), Some(0.0));
    }

    #[test]
    fn a_restless_series_must_move_further() {
        let baseline = || Baseline::of(&shown("a", &[1.0, 3.0]), 2);
        assert_eq!(baseline().left(&shown("a", &[4.5]), 0.0), Some(0.0));
        assert_eq!(baseline().restless(1).left(&shown("a", &[4.5]), 0.0), None);
        assert_eq!(baseline().restless(2).left(&shown("a", &[8.0]), 0.0), Some(0.0));
    }

    #[test]
    fn only_a_new_alert_of_the_cause_is_a_movement() {
        let alert = |name: &str| shown(&format!("{{\"alertname\":\"{name}\",\"alertstate\":\"pending\"}}"), &[1.0]);
        let quiet: Shown = alert("HighCPUUsage").into_iter().chain(shown("{\"alertname\":\"Watchdog\"}", &[1.0, 1.0, 1.0])).collect();
        let watchdog = || shown("{\"alertname\":\"Watchdog\"}", &[1.0]);
        let later = |name: &str| alert(name).into_iter().chain(alert("SlowResponseTime")).chain(watchdog()).collect::<Shown>();
        assert_eq!(
            Baseline::of(&quiet, 3).left(&later("AllReplicasDown"), 0.0),
            None,
            "without a list of alerts, the new series stays within the range of all series: every value is 1"
        );
        let baseline = || Baseline::of(&quiet, 3).of_alerts(&["AllReplicasDown"]);
        assert_eq!(baseline().left(&later("AllReplicasDown"), 0.0), Some(0.0));
        assert_eq!(baseline().left(&later("PanicDetected"), 0.0), None, "an alert of another cause");
        assert_eq!(baseline().left(&Shown::new(), 0.0), None, "resolved alerts");
        let already: Shown = quiet.clone().into_iter().chain(alert("AllReplicasDown")).collect();
        assert_eq!(Baseline::of(&already, 3).of_alerts(&["AllReplicasDown"]).left(&later("AllReplicasDown"), 0.0), None, "it fired before");
    }

    #[test]
    fn a_new_intermittent_series_is_a_movement_only_outside_the_range_of_all() {
        let baseline = Baseline::of(&shown("a", &[1.0, 2.0]), 3);
        assert_eq!(baseline.left(&Shown::new(), 7.0), None);
        assert_eq!(baseline.left(&shown("b", &[1.5, 2.0]), 7.0), None);
        assert_eq!(baseline.left(&shown("b", &[1.5, 4.0]), 7.0), Some(1.0));
    }
}
