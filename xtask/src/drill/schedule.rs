//! Which drills run at the same time: such as do not hide or cause one another. What a critical alert silences comes
//! before it; churn is compared with what was before, so it comes late.

use super::{Drill, accounts, cache, database, environments, frontend, http, infra, jobs, meta, realtime, runtime, stability};

/// Every drill.
pub const ALL: &[&[Drill]] = &[
    &[http::SLOW],
    &[frontend::SLOW, frontend::ERRORS, accounts::FAILURES, jobs::BACKLOG, infra::DISK, meta::CARDINALITY, environments::FAILING],
    &[environments::SLOW, accounts::OAUTH, jobs::PLATFORM, database::CONNECTIONS],
    &[http::ERRORS],
    &[database::SLOW],
    &[runtime::BUSY, runtime::FULL],
    &[runtime::TASK, accounts::BRUTE_FORCE],
    &[runtime::PANIC, cache::SLOW],
    &[cache::FORGETFUL],
    &[realtime::REFUSED, realtime::DROPPED],
    &[realtime::LATE],
    &[realtime::VERY_LATE],
    &[cache::DOWN],
    &[http::VERY_SLOW],
    &[http::OUTAGE],
    &[database::VERY_SLOW],
    &[database::ERRORS],
    &[database::DOWN],
    &[infra::NOT_READY],
    &[infra::REPLICA, meta::TARGET],
    &[infra::SERVICE],
    &[stability::RESTARTS, stability::FLAPPING],
    &[meta::CONFIGURATION],
    &[meta::RULE],
    &[meta::TOO_LARGE],
    &[meta::NOTIFICATIONS],
    &[meta::NO_ALERTMANAGER],
    &[realtime::CHURN],
];

/// What a check that has little time runs: a ratio, a process and the monitoring itself.
pub const SHORT: &[&[Drill]] = &[&[http::OUTAGE], &[infra::REPLICA, meta::TARGET]];

/// What is tried behind a name as well: the alert that asks the edge, and one that does not.
pub const PRODUCTION: &[&Drill] = &[&Drill { alerts: &["EdgeErrors"], ..http::OUTAGE }, &infra::REPLICA];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::drill::watch::parts;
    use crate::paths;

    /// The alerts of the rule files.
    fn alerts() -> BTreeSet<String> {
        let files = fs::read_dir(paths::root().join("monitoring/prometheus/rules")).unwrap();
        let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        let name = |line: &str| line.trim().strip_prefix("- alert: ").map(str::to_owned);
        texts.flat_map(|text| text.lines().filter_map(name).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn every_alert_has_a_drill() {
        let drilled: BTreeSet<String> = ALL
            .iter()
            .flat_map(|batch| batch.iter())
            .flat_map(|drill| drill.alerts)
            .map(|alert| parts(alert).0.to_owned())
            // The one that always fires has a drill of another kind.
            .chain(["Watchdog".to_owned()])
            .collect();
        assert_eq!(drilled, alerts());
    }

    #[test]
    fn drills_that_run_together_wait_for_different_alerts() {
        for batch in ALL.iter().chain(SHORT) {
            let alerts: Vec<_> = batch.iter().flat_map(|drill| drill.alerts).collect();
            let different: BTreeSet<_> = alerts.iter().collect();
            assert_eq!(alerts.len(), different.len(), "{alerts:?}");
        }
    }
}
