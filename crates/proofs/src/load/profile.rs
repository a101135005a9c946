//! The load profiles. Each has a script in `load/` and a default duration; some also have gates on figures that only Prometheus has. The
//! scripts hold everything else.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use devstack::paths;

use super::gates::{Gate, SEED, SOAK};

/// A load profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Every operation of the API at least once, within a minute.
    Smoke,
    /// Six kinds of journeys at a gentle pace.
    Demo,
    /// 200 requests per second and 100 sockets, with strict gates.
    Seed,
    /// More and more requests per second until a gate breaks.
    Peak,
    /// Calm, a sudden crowd, and calm again.
    Spike,
    /// A moderate load for hours: does anything grow without end?
    Soak,
    /// Ten times as much as the service can take.
    Overload,
}

impl Profile {
    /// The name of its script.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Demo => "demo",
            Self::Seed => "seed",
            Self::Peak => "peak",
            Self::Spike => "spike",
            Self::Soak => "soak",
            Self::Overload => "overload",
        }
    }

    /// Its default duration.
    #[must_use]
    pub fn lasts(self) -> Duration {
        match self {
            Self::Smoke | Self::Overload => Duration::from_mins(1),
            Self::Spike => Duration::from_mins(2),
            Self::Demo | Self::Seed | Self::Peak => Duration::from_mins(5),
            Self::Soak => Duration::from_hours(4),
        }
    }

    /// Whether its traffic has a rate that can be set.
    #[must_use]
    pub fn has_rate(self) -> bool {
        !matches!(self, Self::Smoke | Self::Demo)
    }

    /// Whether its duration can be set: the journeys of `smoke` run once.
    #[must_use]
    pub fn has_duration(self) -> bool {
        self != Self::Smoke
    }

    /// Its gates that are read from Prometheus after the run.
    pub(super) fn gates(self) -> &'static [Gate] {
        match self {
            Self::Seed => &SEED,
            Self::Soak => &SOAK,
            Self::Smoke | Self::Demo | Self::Peak | Self::Spike | Self::Overload => &[],
        }
    }

    /// The path of its script.
    pub(super) fn script(self) -> PathBuf {
        paths::root().join("load").join(self.name()).with_extension("js")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn every_profile_has_a_script_and_every_script_is_a_profile() {
        let scripts = fs::read_dir(paths::root().join("load")).unwrap().map(|entry| entry.unwrap().path());
        let scripts: BTreeSet<PathBuf> = scripts.filter(|path| path.is_file() && !path.ends_with("empty.js")).collect();
        let profiles: BTreeSet<PathBuf> = Profile::value_variants().iter().map(|profile| profile.script()).collect();
        assert_eq!(profiles, scripts);
    }

    #[test]
    fn a_profile_has_the_duration_and_the_rate_of_its_script() {
        for profile in Profile::value_variants() {
            let script = fs::read_to_string(profile.script()).unwrap();
            let text = script.split_once("duration('").and_then(|(_, rest)| rest.split_once('\''));
            if let Some((usual, _)) = text {
                assert_eq!(devstack::speed::parse(usual), Some(profile.lasts()), "{}", profile.name());
            } else {
                assert!(!profile.has_duration(), "{}", profile.name());
            }
            assert_eq!(script.contains("rate("), profile.has_rate(), "{}", profile.name());
        }
    }
}
