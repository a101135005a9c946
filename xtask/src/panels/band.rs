//! What a query showed while nothing happened, and whether it shows something else now.

use std::collections::BTreeMap;

use serde_json::Value;

use super::shown::Shown;

/// Beside the band, as a part of its width: the next values of something that varies may vary a little more.
const OF_WIDTH: f64 = 0.5;
/// Beside the band, as a part of the largest value of the query: less is hardly to be seen.
const OF_SCALE: f64 = 0.02;
/// The same of a heatmap, where so much is a shade.
const OF_SHADES: f64 = 0.1;
/// What grows by itself may grow so many times as fast; what is sometimes faster than so many times its slowest does not grow by itself.
const OF_DRIFT: f64 = 2.0;

/// The bands of a query's series.
pub struct Bands {
    by_labels: BTreeMap<String, Band>,
    /// Of all series together, if there are some that come and go by themselves: one that comes is nothing new then.
    of_all: Option<Band>,
    margins: Margins,
    /// The alerts of the cause. Where series are alerts, their values say nothing: what says something is that one of these is there.
    alerts: Vec<&'static str>,
}

/// How far beside its band a series may be.
#[derive(Clone, Copy)]
struct Margins {
    of_width: f64,
    least: f64,
}

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
        let by_labels: BTreeMap<_, _> =
            quiet.iter().filter_map(|(labels, points)| Some((labels.clone(), Band::of(points, times)?))).collect();
        let all: Vec<(f64, f64)> = quiet.values().flatten().copied().collect();
        let come_and_go = by_labels.values().any(|band| !band.is_steady);
        let of_all = Band::of(&all, times).filter(|_| come_and_go).map(|band| Band { drift: 0.0, ..band });
        let least = OF_SCALE * all.iter().map(|(_, value)| value.abs()).filter(|value| value.is_finite()).fold(0.0, f64::max);
        Self { by_labels, of_all, margins: Margins { of_width: OF_WIDTH, least }, alerts: Vec::new() }
    }

    /// The same for what is shown in shades.
    pub fn in_shades(mut self) -> Self {
        self.margins.least *= OF_SHADES / OF_SCALE;
        self
    }

    /// The same for something that has left its band by itself so many times.
    pub fn restless(mut self, times: u8) -> Self {
        self.margins.of_width *= f64::from(1_u32 << times);
        self
    }

    /// The same where series are alerts, and the cause raises these. Others come and go beside them on a machine that is full.
    pub fn of_alerts(mut self, alerts: &[&'static str]) -> Self {
        self.alerts = alerts.to_vec();
        self
    }

    /// When something first was otherwise: a value outside of its band, a series that was not there, or one that is there no more.
    pub fn left(&self, shown: &Shown, from: f64) -> Option<f64> {
        let outside = shown.iter().filter_map(|(labels, points)| {
            let band = self.by_labels.get(labels);
            let left = match (self.named(labels), band.or(self.of_all.as_ref())) {
                (Some(is_of_cause), _) => points.first().filter(|_| is_of_cause && band.is_none()),
                (None, Some(band)) => points.iter().find(|(time, value)| !band.holds(*time, *value, self.margins)),
                (None, None) => points.first(),
            };
            left.map(|(time, _)| *time)
        });
        let gone =
            self.by_labels.iter().filter(|(labels, band)| band.is_steady && self.named(labels).is_none() && !shown.contains_key(*labels));
        let gone = gone.map(|_| from);
        outside.chain(gone).min_by(f64::total_cmp)
    }
}

impl Bands {
    /// Of a series that is an alert, whether it is one of the cause; of others nothing.
    fn named(&self, labels: &str) -> Option<bool> {
        if self.alerts.is_empty() {
            return None;
        }
        let labels: Value = serde_json::from_str(labels).ok()?;
        let alert = labels["alertname"].as_str()?;
        Some(self.alerts.contains(&alert))
    }
}

impl Band {
    fn of(points: &[(f64, f64)], times: usize) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let values = points.iter().map(|(_, value)| *value);
        let speeds = points.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0));
        let (slowest, fastest) = speeds.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), speed| (low.min(speed), high.max(speed)));
        let is_even = slowest * fastest > 0.0 && slowest.abs().max(fastest.abs()) <= OF_DRIFT * slowest.abs().min(fastest.abs());
        let drift = if is_even { (last.1 - first.1) / (last.0 - first.0) } else { 0.0 };
        Some(Self {
            low: values.clone().fold(f64::INFINITY, f64::min),
            high: values.fold(f64::NEG_INFINITY, f64::max),
            drift,
            until: last.0,
            is_steady: points.len() >= times,
        })
    }

    fn holds(&self, time: f64, value: f64, margins: Margins) -> bool {
        if value.is_infinite() {
            return if value > 0.0 { self.high.is_infinite() } else { self.low.is_infinite() };
        }
        let margin = margins.of_width * (self.high - self.low) + margins.least;
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
        // A count that has just come to where it is.
        assert_eq!(left(&[0.0, 1.0, 5.0, 5.0], &[9.0]), Some(4.0));
    }

    #[test]
    fn a_series_that_comes_or_goes_is_a_movement() {
        let bands = Bands::of(&shown("a", &[1.0, 1.0]), 2);
        let both = shown("a", &[1.0]).into_iter().chain(shown("b", &[1.0])).collect();
        assert_eq!(bands.left(&both, 0.0), Some(0.0));
        assert_eq!(bands.left(&Shown::new(), 7.0), Some(7.0));
    }

    #[test]
    fn what_is_hardly_seen_is_no_movement() {
        let both = |few: f64| shown("many", &[50.0]).into_iter().chain(shown("few", &[few])).collect::<Shown>();
        let bands = || Bands::of(&both(0.0), 1);
        assert_eq!(bands().left(&both(1.0), 0.0), None);
        assert_eq!(bands().left(&both(2.0), 0.0), Some(0.0));
        assert_eq!(bands().in_shades().left(&both(5.0), 0.0), None);
        assert_eq!(bands().in_shades().left(&both(6.0), 0.0), Some(0.0));
    }

    #[test]
    fn what_is_restless_has_to_move_further() {
        let bands = || Bands::of(&shown("a", &[1.0, 3.0]), 2);
        assert_eq!(bands().left(&shown("a", &[4.5]), 0.0), Some(0.0));
        assert_eq!(bands().restless(1).left(&shown("a", &[4.5]), 0.0), None);
        assert_eq!(bands().restless(2).left(&shown("a", &[8.0]), 0.0), Some(0.0));
    }

    #[test]
    fn an_alert_of_the_cause_is_seen_among_others_that_come_and_go() {
        let alert = |name: &str| shown(&format!("{{\"alertname\":\"{name}\",\"alertstate\":\"pending\"}}"), &[1.0]);
        let quiet: Shown = alert("HighCPUUsage").into_iter().chain(shown("{\"alertname\":\"Watchdog\"}", &[1.0, 1.0, 1.0])).collect();
        let watchdog = || shown("{\"alertname\":\"Watchdog\"}", &[1.0]);
        let later = |name: &str| alert(name).into_iter().chain(alert("SlowResponseTime")).chain(watchdog()).collect::<Shown>();
        assert_eq!(Bands::of(&quiet, 3).left(&later("AllReplicasDown"), 0.0), None, "by its value, no alert differs from another");
        let bands = || Bands::of(&quiet, 3).of_alerts(&["AllReplicasDown"]);
        assert_eq!(bands().left(&later("AllReplicasDown"), 0.0), Some(0.0));
        assert_eq!(bands().left(&later("PanicDetected"), 0.0), None, "an alert of something else");
        assert_eq!(bands().left(&Shown::new(), 0.0), None, "alerts that are over");
        let already: Shown = quiet.clone().into_iter().chain(alert("AllReplicasDown")).collect();
        assert_eq!(
            Bands::of(&already, 3).of_alerts(&["AllReplicasDown"]).left(&later("AllReplicasDown"), 0.0),
            None,
            "it was there before"
        );
    }

    #[test]
    fn where_series_come_and_go_a_new_one_has_to_show_what_none_did() {
        let bands = Bands::of(&shown("a", &[1.0, 2.0]), 3);
        assert_eq!(bands.left(&Shown::new(), 7.0), None);
        assert_eq!(bands.left(&shown("b", &[1.5, 2.0]), 7.0), None);
        assert_eq!(bands.left(&shown("b", &[1.5, 4.0]), 7.0), Some(1.0));
    }
}
