//! Gates on figures that k6 cannot see from outside the service. Each gate queries Prometheus after a run; without samples, the gate fails.

use std::time::Duration;

use anyhow::{Context, Result};
use devstack::report::{Outcome, Report};

use crate::prometheus;

/// A limit on a figure of the service.
pub struct Gate {
    /// The statement that must be true, with the limit.
    name: &'static str,
    /// Its query: `RUN` stands for the duration of the run, `QUARTER` for a quarter of it.
    query: &'static str,
    limit: Limit,
}

/// The values that a gate accepts.
enum Limit {
    Above(f64),
    Below(f64),
}

/// The gates of `seed`: under the load of a small product, the service has room to spare.
pub const SEED: [Gate; 4] = [
    Gate {
        name: "more than 90 % of the cache's lookups are hits",
        query: "sum(increase(cache_hits_total{job=\"backend\"}[RUN])) / (sum(increase(cache_hits_total{job=\"backend\"}[RUN])) \
                + sum(increase(cache_misses_total{job=\"backend\"}[RUN])))",
        limit: Limit::Above(0.9),
    },
    Gate {
        name: "each replica uses less than 70 % of its CPU cores",
        query: "max(rate(process_cpu_seconds_total{job=\"backend\"}[RUN]) / runtime_workers{job=\"backend\"})",
        limit: Limit::Below(0.7),
    },
    Gate {
        name: "the replicas together use less than 1 GB of memory",
        query: "sum(max_over_time(process_resident_memory_bytes{job=\"backend\"}[RUN]))",
        limit: Limit::Below(1e9),
    },
    Gate {
        name: "the scheduling delay is below 50 ms at p95 in each replica",
        query: "max(histogram_quantile(0.95, sum by (instance, le) (rate(runtime_scheduling_delay_seconds_bucket{job=\"backend\"}[RUN]))))",
        limit: Limit::Below(0.05),
    },
];

/// The gates of `soak`: nothing grows without end. They compare the last quarter of a run with the quarter before it.
pub const SOAK: [Gate; 3] = [
    Gate {
        name: "memory grows by less than 5 % in the second half",
        query: "sum(avg_over_time(process_resident_memory_bytes{job=\"backend\"}[QUARTER])) \
                / sum(avg_over_time(process_resident_memory_bytes{job=\"backend\"}[QUARTER] offset QUARTER))",
        limit: Limit::Below(1.05),
    },
    Gate {
        name: "file descriptors grow by less than 10 % in the second half",
        query: "sum(avg_over_time(process_open_fds{job=\"backend\"}[QUARTER])) \
                / sum(avg_over_time(process_open_fds{job=\"backend\"}[QUARTER] offset QUARTER))",
        limit: Limit::Below(1.1),
    },
    Gate {
        name: "series grow by less than 2 % in the second half",
        query: "sum(avg_over_time(scrape_samples_post_metric_relabeling[QUARTER])) \
                / sum(avg_over_time(scrape_samples_post_metric_relabeling[QUARTER] offset QUARTER))",
        limit: Limit::Below(1.02),
    },
];

/// Adds a step for each gate, over a run that has just ended.
pub fn add(report: &mut Report, gates: &[Gate], prometheus: &str, run: Duration) -> Result<()> {
    for gate in gates {
        report.step(gate.name, || {
            let value = prometheus::value(prometheus, &gate.query_over(run))?;
            gate.judge(value)
        })?;
    }
    Ok(())
}

impl Gate {
    fn query_over(&self, run: Duration) -> String {
        let window = |part: Duration| format!("{}ms", part.as_millis());
        self.query.replace("RUN", &window(run)).replace("QUARTER", &window(run / 4))
    }

    fn judge(&self, value: Option<f64>) -> Result<Outcome> {
        let value = value.with_context(|| format!("Prometheus has no samples for this gate: {}", self.query))?;
        let held = match self.limit {
            Limit::Above(limit) => value > limit,
            Limit::Below(limit) => value < limit,
        };
        Ok(Outcome::from(held).with_note(format!("{value:.4}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_without_samples_fails() {
        for gate in SEED.iter().chain(&SOAK) {
            let error = gate.judge(None).unwrap_err().to_string();
            assert!(error.starts_with("Prometheus has no samples for this gate: "), "{error}");
        }
    }

    #[test]
    fn a_gate_holds_on_one_side_of_its_limit() {
        let [hits, cpu, ..] = &SEED;
        for (gate, value, held) in [(hits, 0.91, true), (hits, 0.9, false), (cpu, 0.69, true), (cpu, 0.7, false)] {
            assert_eq!(gate.judge(Some(value)).unwrap().passed, u64::from(held), "{}: {value}", gate.name);
        }
    }

    #[test]
    fn windows_follow_from_the_duration_of_the_run() {
        let [memory, ..] = &SOAK;
        let query = memory.query_over(Duration::from_mins(2));
        assert!(query.contains("[30000ms] offset 30000ms") && !query.contains("QUARTER"), "{query}");
    }
}
