//! Why a store that speaks `MetricsQL` answers a query differently than Prometheus: a closed list. For each reason there is a way to
//! compare nevertheless: a query that asks both for the same, or a tolerance. `dashboards` checks that each reason is still needed.

use super::answers::Answer;
use super::site::{SPEED_OF_OTHER, pace};

use anyhow::Result;
use regex_lite::{Captures, Regex};

/// A reason for different answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A rate in the store also counts what happened between the last sample before the window and the window. Prometheus counts that with a
    /// window that is longer by one scrape interval. It then has the same first and last sample, and divides by the same time.
    Rate,
    /// An increase in the store is a difference of two samples. Prometheus extrapolates it to the ends of the window, which the samples miss
    /// by up to one scrape interval; a window has at least four.
    Increase,
    /// The store counts the appearance of a series as a change of its value, unless the function is `changes_prometheus`. Of a series whose
    /// value has changed, it was seen to count one change too many.
    Changes,
    /// Where a filter has removed a series, `or` in the store keeps it, with the value of the other side. In dashboards, this is a
    /// placeholder of 0: the store shows a line at 0 that Prometheus does not show.
    Gaps,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Rate, Self::Increase, Self::Changes, Self::Gaps];

    /// Whether the reason can affect a query.
    fn affects(self, query: &str) -> bool {
        match self {
            Self::Rate => query.contains("rate("),
            Self::Increase => query.contains("increase("),
            Self::Changes => query.contains("changes("),
            Self::Gaps => query.contains(" or "),
        }
    }

    /// The reasons that can affect a query.
    pub fn of(query: &str) -> Vec<Self> {
        Self::ALL.into_iter().filter(|reason| reason.affects(query)).collect()
    }
}

/// A query as each side gets it, and the largest acceptable difference of a value.
pub struct Comparison {
    pub prometheus: String,
    pub store: String,
    pub tolerance: f64,
    without_zeros: bool,
    without_labels: bool,
}

impl Comparison {
    /// The comparison of a query for these reasons.
    pub fn new(query: &str, reasons: &[Reason]) -> Result<Self> {
        let has = |reason| reasons.contains(&reason);
        let is_windowed = has(Reason::Rate) || has(Reason::Increase);
        Ok(Self {
            prometheus: if is_windowed { widened(query)? } else { query.to_owned() },
            store: if has(Reason::Changes) { query.replace("changes(", "changes_prometheus(") } else { query.to_owned() },
            tolerance: if has(Reason::Changes) {
                // Two changes instead of one.
                0.5
            } else if has(Reason::Increase) {
                0.25
            } else if has(Reason::Rate) {
                // Scrapes are late by milliseconds, of 5 seconds.
                0.01
            } else {
                1e-9
            },
            without_zeros: has(Reason::Gaps),
            // Of equal values, both sides choose any.
            without_labels: query.contains("topk("),
        })
    }

    /// The part of an answer that is compared.
    pub fn part(&self, mut answer: Answer) -> Answer {
        if self.without_zeros {
            answer.retain(|(_, value)| *value != 0.0);
        }
        if self.without_labels {
            for (labels, _) in &mut answer {
                labels.clear();
            }
            answer.sort_by(|one, other| one.1.total_cmp(&other.1));
        }
        answer
    }
}

/// The query with every window longer by one scrape interval.
fn widened(query: &str) -> Result<String> {
    let interval = pace(SPEED_OF_OTHER)?.interval().as_secs();
    let longer = |found: &Captures| format!("[{}s]", found[1].parse::<u64>().unwrap_or_default() + interval);
    Ok(Regex::new(r"\[(\d+)s\]")?.replace_all(query, longer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_compared_for_the_reasons_that_affect_it() {
        let query = "topk(3, changes(a[60s])) > 0 or on() vector(0)";
        assert_eq!(Reason::of(query), [Reason::Changes, Reason::Gaps]);
        let comparison = Comparison::new(query, &Reason::of(query)).unwrap();
        assert!(comparison.store.contains("changes_prometheus(a[60s])"), "{}", comparison.store);
        assert_eq!(comparison.prometheus, query);
        let answer = [("a", 2.0), ("b", 0.0), ("c", 1.0)].map(|(labels, value)| (labels.to_owned(), value)).to_vec();
        assert_eq!(comparison.part(answer), [(String::new(), 1.0), (String::new(), 2.0)]);
    }

    #[test]
    fn the_window_of_a_rate_is_longer_by_a_scrape_interval() {
        assert_eq!(widened("rate(a[20s]) / rate(b[100s])").unwrap(), "rate(a[25s]) / rate(b[105s])");
    }
}
