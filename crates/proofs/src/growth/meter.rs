//! CPU time per unit of work, from the kernel's accounting. Other busy programs change it far less than they change response times.
//! A measurement during which other programs used too much of the machine is repeated once.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::machine::{TICKS_PER_SECOND, busy_ticks, cpu_ticks};

/// Share of the machine that other programs may use during a measurement.
const FOREIGN: f64 = 0.10;
/// Maximum number of attempts: a measurement that is disturbed or fails is repeated.
const TRIES: u32 = 2;
/// Intended minimum CPU time of a measurement in ticks: one tick is then at most 2 % of the result. The work is repeated until the measured
/// processes have used this time, but not more often than `REPEATS` allows.
const LEAST_TICKS: u64 = 50;
/// Maximum number of times that one measurement does the work.
const REPEATS: u32 = 10;

/// Measures the CPU time of processes, and counts the measurements that other programs on these cores disturbed.
pub struct Meter {
    cores: Vec<u32>,
    measured: u32,
    disturbed: u32,
}

impl Meter {
    /// A meter for a machine with these cores.
    pub fn new(cores: Vec<u32>) -> Self {
        Self { cores, measured: 0, disturbed: 0 }
    }

    /// CPU time in microseconds that these processes use per unit; `work` returns the number of units.
    pub fn micros(&mut self, processes: &[u32], mut work: impl FnMut() -> Result<f64>) -> Result<f64> {
        self.measured += 1;
        let mut best: Option<(f64, f64)> = None;
        let mut failure = None;
        for _ in 0..TRIES {
            match self.once(processes, &mut work) {
                Ok((_, foreign)) if best.is_some_and(|(_, least)| least <= foreign) => {}
                Ok(measurement) => best = Some(measurement),
                Err(error) => failure = Some(error),
            }
            devstack::process::check_interrupt()?;
            if best.is_some_and(|(_, foreign)| foreign <= FOREIGN) {
                break;
            }
        }
        let Some((micros, foreign)) = best else { return Err(failure.context("nothing was measured")?) };
        self.disturbed += u32::from(foreign > FOREIGN);
        Ok(micros)
    }

    /// The cost per unit in microseconds, and the share of the machine that other programs used meanwhile.
    #[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^52 ticks")]
    fn once(&self, processes: &[u32], work: &mut impl FnMut() -> Result<f64>) -> Result<(f64, f64)> {
        let sum = || processes.iter().map(|pid| cpu_ticks(*pid)).sum::<u64>();
        let own = std::process::id();
        let (start, before, own_before, busy_before) = (Instant::now(), sum(), cpu_ticks(own), busy_ticks(&self.cores)?);
        let mut units = 0.0;
        for _ in 0..REPEATS {
            units += work()?;
            if sum().saturating_sub(before) >= LEAST_TICKS {
                break;
            }
        }
        let (used, own_used) = (sum().saturating_sub(before), cpu_ticks(own).saturating_sub(own_before));
        let busy = busy_ticks(&self.cores)?.saturating_sub(busy_before);
        ensure!(units > 0.0, "no work was done");
        ensure!(used > 0, "the measured processes used no CPU time; other processes may have done the work");
        let available = start.elapsed().as_secs_f64() * TICKS_PER_SECOND * self.cores.len() as f64;
        Ok((used as f64 / TICKS_PER_SECOND * 1e6 / units, busy.saturating_sub(own_used) as f64 / available))
    }

    /// The number of measurements, and the number of those that other programs disturbed.
    pub fn counts(&self) -> (u32, u32) {
        (self.measured, self.disturbed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_divided_by_the_units_of_work() {
        let mut meter = Meter::new(vec![0]);
        let spin = || {
            let start = cpu_ticks(std::process::id());
            while cpu_ticks(std::process::id()) < start + 5 {}
            Ok(10.0)
        };
        assert!(meter.micros(&[std::process::id()], spin).unwrap() >= 5_000.0);
        assert_eq!(meter.counts().0, 1);
    }

    #[test]
    fn work_that_fails_or_does_nothing_is_an_error() {
        let mut meter = Meter::new(vec![0]);
        assert!(meter.micros(&[std::process::id()], || Ok(0.0)).is_err());
        let error = meter.micros(&[std::process::id()], || anyhow::bail!("no luck")).unwrap_err().to_string();
        assert_eq!(error, "no luck");
    }
}
