//! One line of progress every ten seconds, with figures from Prometheus: k6 writes its summary only at the end.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::prometheus::value;

const EVERY: Duration = Duration::from_secs(10);

/// The progress of a run that has just begun.
pub struct Progress<'a> {
    prometheus: &'a str,
    began: Instant,
    printed: Instant,
    last: Figures,
}

/// Figures since the start of the run.
#[derive(Clone, Copy, Default)]
struct Figures {
    requests: f64,
    failed: f64,
    /// 95th percentile of request durations in seconds: the highest of k6's series, which are divided by scenario and by whether the
    /// response was expected.
    p95: f64,
}

impl<'a> Progress<'a> {
    /// The progress of a run whose figures are in this Prometheus.
    #[must_use]
    pub fn new(prometheus: &'a str) -> Self {
        let now = Instant::now();
        Self { prometheus, began: now, printed: now, last: Figures::default() }
    }

    /// Prints a line if it is time for one.
    pub fn tick(&mut self) {
        let took = self.printed.elapsed();
        if took < EVERY {
            return;
        }
        self.printed = Instant::now();
        let line = match self.read() {
            Ok(figures) => {
                let line = line(self.began.elapsed(), took, self.last, figures);
                self.last = figures;
                line
            }
            // The run continues: k6's summary does not depend on Prometheus.
            Err(error) => format!("failed to read the progress: {error:#}"),
        };
        eprintln!("{line}");
    }

    fn read(&self) -> Result<Figures> {
        let since = self.began.elapsed();
        let read = |operator, series| Ok::<_, anyhow::Error>(value(self.prometheus, &query(operator, series, since))?.unwrap_or_default());
        Ok(Figures {
            requests: read("sum", "k6_http_reqs_total")?,
            failed: read("sum", "k6_http_reqs_total{expected_response=\"false\"}")?,
            p95: read("max", "k6_http_req_duration_p95")?,
        })
    }
}

/// A query over the series of the whole run. k6 no longer sends the series of a scenario that has ended, and five minutes later a query
/// without a window would not find them.
fn query(operator: &str, series: &str, since: Duration) -> String {
    format!("{operator}(last_over_time({series}[{}s]))", since.as_secs().max(1))
}

/// The requests so far; their rate and the share of failures since the last line; p95 over the whole run.
fn line(since: Duration, took: Duration, last: Figures, now: Figures) -> String {
    let new = now.requests - last.requests;
    let failed = if new > 0.0 { (now.failed - last.failed) / new * 100.0 } else { 0.0 };
    let (minutes, seconds) = (since.as_secs() / 60, since.as_secs() % 60);
    let (rate, p95) = (new / took.as_secs_f64(), now.p95 * 1000.0);
    format!("{minutes:>3}:{seconds:02}  {} requests, {rate:.1}/s, {failed:.2} % failed, p95 {p95:.0} ms", now.requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_reach_back_to_the_start_of_the_run() {
        assert_eq!(query("sum", "a_total", Duration::from_mins(20)), "sum(last_over_time(a_total[1200s]))");
    }

    #[test]
    fn a_line_shows_the_rate_and_the_failures_since_the_last_one() {
        let last = Figures { requests: 1000.0, failed: 10.0, p95: 0.03 };
        let now = Figures { requests: 3000.0, failed: 20.0, p95: 0.041 };
        let seconds = Duration::from_secs;
        assert_eq!(line(seconds(130), seconds(10), last, now), "  2:10  3000 requests, 200.0/s, 0.50 % failed, p95 41 ms");
        assert_eq!(line(seconds(140), seconds(10), now, now), "  2:20  3000 requests, 0.0/s, 0.00 % failed, p95 41 ms");
    }
}
