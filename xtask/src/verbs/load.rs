//! `cargo xtask load`: k6 through the edge, on the running stack of `up` or else on one of its own. The journeys are in `load/`.

use std::time::Duration;

use anyhow::{Result, ensure};
use devstack::report::Report;
use devstack::speed;
use devstack::tools::{K6, require};
use proofs::load::proof::{self, Options};

/// In a shorter run, some journeys do not even begin.
const SHORTEST: Duration = Duration::from_secs(30);

/// The load profiles.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Profile {
    /// The whole journey at a gentle pace.
    Demo,
}

impl Profile {
    /// The name of the script.
    fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
        }
    }
}

/// Put load on the service, through the edge.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Which load profile to run.
    #[arg(long, value_enum, default_value_t = Profile::Demo)]
    profile: Profile,
    /// How long to run, such as 90s, 5m or 2h.
    #[arg(long, default_value = "5m", value_parser = duration)]
    duration: Duration,
    /// Fail when a threshold is not met.
    #[arg(long)]
    gate: bool,
}

/// Runs the verb and returns whether every step passed.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&K6], args.install)?;
    let mut report = Report::new("load");
    let Args { duration, gate, install, .. } = *args;
    proof::add(&mut report, &Options { profile: args.profile.name(), duration, gate, install })?;
    report.finish()
}

fn duration(text: &str) -> Result<Duration> {
    let duration = speed::parse(text).ok_or_else(|| anyhow::anyhow!("must be a duration such as 90s, 5m or 2h"))?;
    ensure!(duration >= SHORTEST, "must be at least {} s", SHORTEST.as_secs());
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_long_enough_for_every_journey() {
        assert_eq!(duration("1m30s").unwrap(), Duration::from_secs(90));
        for wrong in ["29s", "5", "soon", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
