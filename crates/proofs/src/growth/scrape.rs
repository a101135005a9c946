//! A scrape of growing numbers of series. Clients cannot create that many series, so `benches/scrape.rs` renders the service's own exporter
//! with series of routes that do not exist.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::curve::Curve;
use devstack::cargo;
use devstack::process::capture_ok;

/// A series may cost at most this many times as much as in a scrape of fewer series.
const LIMIT: f64 = 1.2;

/// A line of the benchmark's output.
#[derive(Deserialize)]
struct Scrape {
    series: u64,
    cpu_micros: f64,
}

/// CPU of a scrape and of the few simulated requests before it, per series.
#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 series")]
pub fn measure(rounds: u32) -> Result<Curve> {
    let mut curve = Curve::new("CPU of a series in a scrape", "series", LIMIT);
    let output = capture_ok(cargo::command().args(["bench", "--quiet", "--bench", "scrape", "--", "--rounds", &rounds.to_string()]))?;
    for line in output.lines().filter(|line| line.starts_with('{')) {
        let Scrape { series, cpu_micros } = serde_json::from_str(line).with_context(|| format!("failed to parse {line}"))?;
        curve.add(series, cpu_micros / series as f64);
    }
    ensure!(curve.amounts().count() > 1, "the benchmark printed too few figures:\n{output}");
    Ok(curve)
}
