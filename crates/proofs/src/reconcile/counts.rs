//! Counts by series, and their comparison.

use std::collections::{BTreeMap, BTreeSet};

/// The counts of one side: of the clients or of Prometheus. Both sides use the same keys, which [`Counts::differences`] shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Adds to a count; 0 creates no series.
    pub fn add(&mut self, key: String, count: u64) {
        if count > 0 {
            *self.0.entry(key).or_default() += count;
        }
    }

    /// Adds completed requests.
    pub fn requests(&mut self, method: &str, route: &str, status: &str, count: u64) {
        self.add(format!("requests {method} {route} {status}"), count);
    }

    /// Adds look-ups in a cache: hits and misses.
    pub fn lookups(&mut self, cache: &str, count: u64) {
        self.add(format!("look-ups {cache}"), count);
    }

    /// Adds accepted Socket.IO connections.
    pub fn sockets(&mut self, transport: &str, count: u64) {
        self.add(format!("sockets {transport}"), count);
    }

    /// Adds Socket.IO events; `direction` is `in` for events that the server receives, and `out` for events that it sends.
    pub fn messages(&mut self, direction: &str, event: &str, count: u64) {
        self.add(format!("messages {direction} {event}"), count);
    }

    /// Adds the counts of other clients.
    pub fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|(key, count)| self.add(key, count));
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The total of each kind: look-ups, messages, requests and sockets.
    pub fn summary(&self) -> String {
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for (key, count) in &self.0 {
            *kinds.entry(key.split(' ').next().unwrap_or_default()).or_default() += count;
        }
        kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
    }

    /// One line for each series that the clients and Prometheus count differently; `self` has the clients' counts.
    pub fn differences(&self, prometheus: &Self) -> Vec<String> {
        let keys: BTreeSet<&String> = self.0.keys().chain(prometheus.0.keys()).collect();
        let of = |counts: &Self, key: &String| counts.0.get(key).copied().unwrap_or_default();
        let pairs = keys.into_iter().map(|key| (key, of(self, key), of(prometheus, key)));
        pairs
            .filter(|(_, counted, summed)| counted != summed)
            .map(|(key, counted, summed)| format!("{key}: clients {counted}, Prometheus {summed}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unequal_counts_and_counts_of_only_one_side_are_differences() {
        let (mut clients, mut prometheus) = (Counts::default(), Counts::default());
        for side in [&mut clients, &mut prometheus] {
            side.requests("GET", "/api/projects", "200", 7);
            side.lookups("session", 7);
            side.sockets("websocket", 0);
        }
        assert_eq!(clients.differences(&prometheus), Vec::<String>::new());
        clients.messages("out", "pong", 1);
        prometheus.requests("GET", "/api/projects", "500", 1);
        prometheus.lookups("session", 1);
        let expected = [
            "look-ups session: clients 7, Prometheus 8",
            "messages out pong: clients 1, Prometheus 0",
            "requests GET /api/projects 500: clients 0, Prometheus 1",
        ];
        assert_eq!(clients.differences(&prometheus), expected);
        assert_eq!(clients.summary(), "7 look-ups, 1 messages, 7 requests");
    }
}
