//! The order of drills. Drills in the same batch run at the same time: none of their alerts inhibits another, and no cause raises an alert
//! of another drill in the batch. Alerts with the longest look-back come first, before anything else has failed. An alert comes before the
//! critical alert that inhibits it. Churn comes last, because its alert compares the rate of connections with that of the hour before.

use super::watch::Key;
use super::{
    Drill, accounts, backup, burns, cache, database, edge, environments, frontend, http, infra, jobs, meta, realtime, runtime, stability,
};

/// Every drill, in batches.
pub const ALL: &[&[Drill]] = &[
    &[burns::LATENESS],
    &[burns::TICKETS],
    &[burns::SIGN_INS],
    &[http::SLOW],
    &[
        frontend::SLOW,
        frontend::ERRORS,
        accounts::FAILURES,
        jobs::BACKLOG,
        infra::DISK,
        backup::OLD,
        meta::CARDINALITY,
        environments::FAILING,
    ],
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
    &[infra::REPLICA],
    &[meta::TARGET],
    &[infra::SERVICE],
    &[edge::UNREACHABLE],
    &[edge::CERTIFICATE],
    &[stability::RESTARTS],
    &[stability::FLAPPING],
    &[meta::CONFIGURATION],
    &[meta::RULE],
    &[meta::TOO_LARGE],
    &[meta::NOTIFICATIONS],
    &[meta::NO_ALERTMANAGER],
    &[meta::INGESTION],
    &[realtime::CHURN],
];

/// The alerts of these batches, in order.
pub fn alerts(batches: &'static [&'static [Drill]]) -> impl Iterator<Item = Key> {
    batches.iter().flat_map(|batch| batch.iter()).flat_map(|drill| drill.alerts).copied()
}

/// The drills of a short check: alerts on an error ratio, on a process and on the monitoring itself.
pub const SHORT: &[&[Drill]] = &[&[http::OUTAGE], &[infra::REPLICA], &[meta::TARGET]];

/// The drills that also run on a stack in its production form (`smoke::production`): one waits for an alert about the edge, the other does
/// not.
pub const PRODUCTION: &[&Drill] = &[&Drill { alerts: &["EdgeErrors"], ..http::OUTAGE }, &infra::REPLICA];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::drill::watch::parts;
    use devstack::paths;
    use rule_tools::rules::{Rule, RuleFile, names, read};

    /// The variants of the alerts in the rule files: a name, and the values of the labels in which rules of the same name differ. The
    /// windows of an error budget do not count as such labels.
    fn variants() -> BTreeSet<(String, BTreeSet<String>)> {
        let folder = paths::root().join("monitoring/prometheus/rules");
        let files = names(&folder).unwrap().into_iter().map(|name| read::<RuleFile>(&folder.join(name).with_extension("yml")).unwrap());
        let rules: Vec<Rule> =
            files.flat_map(|file| file.groups).flat_map(|group| group.rules).filter(|rule| rule.alert.is_some()).collect();
        let variant = |rule: &Rule| {
            let of_name: Vec<&Rule> = rules.iter().filter(|other| other.alert == rule.alert).collect();
            let differs = |label: &str| of_name.iter().any(|other| other.labels.get(label) != rule.labels.get(label));
            let own = rule.labels.iter().filter(|(label, _)| !label.ends_with("_window") && differs(label));
            (rule.name().to_owned(), own.map(|(_, value)| value.clone()).collect())
        };
        rules.iter().map(variant).collect()
    }

    #[test]
    fn every_variant_of_every_alert_has_a_drill() {
        let drilled: Vec<(&str, BTreeSet<&str>)> = alerts(ALL).map(parts).map(|(name, values)| (name, values.collect())).collect();
        let is_drilled = |name: &str, values: &BTreeSet<String>| {
            // Watchdog always fires; a separate step drills it.
            name == "Watchdog"
                || drilled.iter().any(|(drill, has)| *drill == name && values.iter().all(|value| has.contains(value.as_str())))
        };
        let variants = variants();
        let missing: Vec<_> = variants.iter().filter(|(name, values)| !is_drilled(name, values)).collect();
        assert!(missing.is_empty(), "without a drill: {missing:?}");
        for (name, _) in drilled {
            assert!(variants.iter().any(|(variant, _)| variant == name), "there is no alert {name}");
        }
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
