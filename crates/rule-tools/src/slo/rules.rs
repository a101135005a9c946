//! The rules of the objectives. Each objective has its own rules for its events, errors and constants, and its own alerts. All objectives
//! share the rules of windows and burn rates; the labels of the series distinguish the objectives. The rules of the longer windows
//! sum the recorded series, because a query of the counters over a month would take longer than the evaluation interval.

use super::burns::{BURNS, Burn, PERIOD, number};
use super::spec::{ALERT, Slo, Spec, Texts};
use crate::rules::{Group, Rule, RuleFile};

/// The shortest window, and the only one over which rules query the counters.
const SHORTEST: &str = "5m";
/// The longer windows, in ascending order.
pub const WINDOWS: [&str; 7] = ["30m", "1h", "2h", "6h", "1d", "3d", "30d"];

/// The recorded events, errors and budget of each objective.
pub fn events(spec: &Spec) -> RuleFile {
    let rules = spec.slos.iter().flat_map(|slo| {
        let labels = slo.labels(&spec.service);
        let constant = |name: &str, value: f64| recording(name, format!("vector({})", number(value)), labels.clone());
        [
            recording("slo:sli_events:rate5m", slo.sli.events.all(SHORTEST), labels.clone()),
            recording("slo:sli_errors:rate5m", slo.sli.events.errors(SHORTEST), labels.clone()),
            constant("slo:objective:ratio", slo.objective / 100.0),
            constant("slo:error_budget:ratio", slo.budget()),
            constant("slo:time_period:days", PERIOD),
        ]
    });
    file("slo_events", rules.collect())
}

/// The share of errors over each window, and the burn rates that follow from it.
pub fn windows() -> RuleFile {
    let derived = |name: &str, expr: &str| recording(name, expr.to_owned(), Texts::new());
    let mut rules = vec![derived("slo:sli_error:ratio_rate5m", &ratio("slo:sli_errors:rate5m", "slo:sli_events:rate5m"))];
    rules.extend(WINDOWS.map(|window| {
        let sum = |series: &str| format!("sum_over_time({series}[{window}])");
        derived(&share_of(window), &ratio(&sum("slo:sli_errors:rate5m"), &sum("slo:sli_events:rate5m")))
    }));
    rules.extend([
        derived("slo:current_burn_rate:ratio", "slo:sli_error:ratio_rate5m / slo:error_budget:ratio"),
        derived("slo:period_burn_rate:ratio", "slo:sli_error:ratio_rate30d / slo:error_budget:ratio"),
        derived("slo:period_error_budget_remaining:ratio", "1 - slo:period_burn_rate:ratio"),
    ]);
    file("slo_windows", rules)
}

/// The alerts of each objective.
pub fn alerts(spec: &Spec) -> RuleFile {
    let rules = spec.slos.iter().flat_map(|slo| BURNS.iter().map(move |burn| alert(slo, burn)));
    file("slo", rules.collect())
}

/// The recorded share of errors over a window.
pub fn share_of(window: &str) -> String {
    format!("slo:sli_error:ratio_rate{window}")
}

/// The share of errors. Without events, the expression returns the number of events, zero.
fn ratio(errors: &str, events: &str) -> String {
    format!("{errors} / ({events} > 0) or {events}")
}

fn alert(slo: &Slo, burn: &Burn) -> Rule {
    let limit = number(burn.limit(slo));
    let (long, short) = (share_of(burn.long), share_of(burn.short));
    Rule {
        alert: Some(ALERT.to_owned()),
        expr: format!("{long}{{slo=\"{}\"}} > {limit} and {short} > {limit}", slo.name),
        r#for: Some(burn.wait.to_owned()),
        labels: burn.labels(slo),
        annotations: burn.annotations(slo, "{{ $value | humanizePercentage }}"),
        ..Rule::default()
    }
}

fn recording(name: &str, expr: String, labels: Texts) -> Rule {
    Rule { record: Some(name.to_owned()), expr, labels, ..Rule::default() }
}

fn file(name: &str, rules: Vec<Rule>) -> RuleFile {
    RuleFile { groups: vec![Group { name: name.to_owned(), rules }] }
}
