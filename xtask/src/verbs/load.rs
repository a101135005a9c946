//! `cargo xtask load`: runs k6 through the edge given by `--edge`, else the edge of the stack of `up`, else that of a new stack.
//! The profiles are scripts in `load/`.

use std::time::Duration;

use anyhow::{Result, ensure};
use devstack::report::Report;
use devstack::speed;
use devstack::tools::{K6, require};
use proofs::load::Profile;
use proofs::load::disturbance::Disturbance;
use proofs::load::proof::{self, Options};
use proofs::load::target::{Choice, nearby};

/// In a shorter run, some journeys do not even begin.
const SHORTEST: Duration = Duration::from_secs(30);

/// Put load on the service, through the edge.
///
/// docs/LOAD.md says which profile answers which question. The report is in target/proofs/.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Which load profile to run.
    #[arg(long, value_enum, default_value_t = Profile::Demo)]
    profile: Profile,
    /// How long to run, such as 90s, 5m or 2h (default: the profile's usual duration).
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// Requests per second, instead of the profile's own; for `overload`, instead of ten times the last knee.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// The edge of a running stack, such as `http://localhost:8080`.
    #[arg(long, value_parser = nearby)]
    edge: Option<String>,
    /// What happens after a third of the run. Requires a stack that is started for the load, so `up` must not be running.
    #[arg(long, value_enum, conflicts_with = "edge")]
    during: Option<Disturbance>,
    /// Build the application with optimisations, if a stack is started for the load.
    #[arg(long)]
    release: bool,
    /// Fail when a threshold or a gate is not met.
    #[arg(long)]
    gate: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let Args { profile, duration, rate, gate, install, release, during, .. } = *args;
    ensure!(rate.is_none() || profile.has_rate(), "{} has a fixed rate: leave out --rate", profile.name());
    ensure!(duration.is_none() || profile.has_duration(), "{} has a fixed length: leave out --duration", profile.name());
    require(&[&K6], install)?;
    let mut report = Report::new("load");
    let target = Choice { edge: args.edge.as_deref(), release, install };
    proof::add(&mut report, &Options { profile, duration, rate, gate, during, target })?;
    report.finish()
}

fn duration(text: &str) -> Result<Duration> {
    let duration = speed::parse(text).ok_or_else(|| anyhow::anyhow!("must be a duration such as 90s, 5m or 2h"))?;
    ensure!(duration >= SHORTEST, "must be at least {} s", SHORTEST.as_secs());
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        _args: Args,
    }

    fn refusal(args: &[&str]) -> String {
        let line = Line::try_parse_from(["load"].iter().chain(args));
        line.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_duration_is_long_enough_for_every_journey() {
        assert_eq!(duration("1m30s").unwrap(), Duration::from_secs(90));
        for wrong in ["29s", "5", "soon", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bad_input_is_refused_with_the_reason() {
        assert_eq!(refusal(&["--profile", "seed", "--release", "--gate"]), "");
        let unknown = refusal(&["--profile", "sprint"]);
        assert!(unknown.contains("invalid value 'sprint'") && unknown.contains("overload"), "{unknown}");
        let elsewhere = refusal(&["--edge", "http://example.org"]);
        assert!(elsewhere.contains("must be an address of this machine, or the name of a container"), "{elsewhere}");
        assert!(refusal(&["--rate", "0"]).contains("0 is not in 1..=100000"));
    }
}
