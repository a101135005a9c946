//! Generates the tests of the generated rules, with results that can be computed by hand. Recorded series that come from another rule file
//! are given as input, so that a test over a month needs only a few samples.

use anyhow::Result;
use serde_json::json;

use super::burns::{BURNS, Burn, number};
use super::rules::{WINDOWS, share_of};
use super::spec::{ALERT, Spec, Texts};
use crate::rules::{AlertTest, Expected, Series, SeriesTest, Test, TestFile};

const EVENTS: &str = "slo:sli_events:rate5m";
const ERRORS: &str = "slo:sli_errors:rate5m";
const BUDGET: &str = "slo:error_budget:ratio";
/// The interval of the tests, in minutes: samples are a multiple of it apart. It is short enough that even the shortest of [`WINDOWS`],
/// 30 minutes, has a sample in its older half.
const STEP: u32 = 20;
/// The tests use this multiple of a limit. It is above the limit but below its double, so a rule with a doubled limit fails its test.
const ABOVE: f64 = 1.25;

/// Tests of the shares of errors and of the budgets.
pub fn windows() -> Result<TestFile> {
    let tests = WINDOWS.iter().map(|window| of_window(window)).chain([of_now()]).collect::<Result<_>>()?;
    Ok(TestFile {
        rule_files: vec!["../rules/slo_windows.yml".to_owned()],
        group_eval_order: Vec::new(),
        evaluation_interval: format!("{STEP}m"),
        tests,
    })
}

/// Tests of the alerts.
pub fn alerts(spec: &Spec) -> TestFile {
    let tests = BURNS.iter().map(|burn| of_burn(spec, burn)).collect();
    TestFile { rule_files: vec!["../rules/slo.yml".to_owned()], group_eval_order: Vec::new(), evaluation_interval: "1m".to_owned(), tests }
}

/// Each series has samples at up to three times: just before the window, in its older half, and now. No sample is exactly at the start of
/// the window, where Prometheus versions differ, or exactly in its middle.
fn of_window(window: &str) -> Result<Test> {
    let steps = |minutes: u32| minutes / STEP + 1;
    let (end, older) = (steps(minutes(window)), steps(minutes(window) / 2));
    let moments = |[first, second, third]: [&str; 3]| {
        let gap = |steps: u32| if steps > 1 { format!(" _x{} ", steps - 1) } else { " ".to_owned() };
        format!("{first}{}{second}{}{third}", gap(end - older), gap(older))
    };
    let input = [
        // Errors and events: 90 of 300, then 10 of 100.
        (ERRORS, "busy", ["1000", "90", "10"]),
        (EVENTS, "busy", ["1000", "300", "100"]),
        // One error in eight events, one event per 100 s.
        (ERRORS, "rare", ["_", "0.0025", "0"]),
        (EVENTS, "rare", ["_", "0.01", "0.01"]),
        // All events are older than the window, and the series have no current sample.
        (ERRORS, "silent", ["1000", "0", "_"]),
        (EVENTS, "silent", ["1000", "0", "_"]),
    ];
    let answers = [("busy", 0.25), ("rare", 0.125), ("silent", 0.0)];
    Ok(Test {
        name: format!("the share of errors over {window}"),
        interval: format!("{STEP}m"),
        external_labels: Texts::new(),
        input_series: input.map(|(name, slo, values)| series(name, slo, moments(values))).into(),
        alert_rule_test: Vec::new(),
        promql_expr_test: vec![asked(&share_of(window), end * STEP, answers)?],
    })
}

/// Tests the rules about the present, and the rules about the period of 30 days. In this test, the period has only one sample.
fn of_now() -> Result<Test> {
    let input = [
        (ERRORS, "busy", "1"),
        (EVENTS, "busy", "100"),
        (BUDGET, "busy", "0.04"),
        (ERRORS, "rare", "0.0005"),
        (EVENTS, "rare", "0.01"),
        (BUDGET, "rare", "0.01"),
        (ERRORS, "silent", "0"),
        (EVENTS, "silent", "0"),
        (BUDGET, "silent", "0.005"),
    ];
    let asked = |name: &str, [busy, rare, silent]: [f64; 3]| asked(name, 0, [("busy", busy), ("rare", rare), ("silent", silent)]);
    Ok(Test {
        name: "how fast a budget burns, and what is left of it".to_owned(),
        interval: format!("{STEP}m"),
        external_labels: Texts::new(),
        input_series: input.map(|(name, slo, value)| series(name, slo, value.to_owned())).into(),
        alert_rule_test: Vec::new(),
        promql_expr_test: vec![
            asked("slo:sli_error:ratio_rate5m", [0.01, 0.05, 0.0])?,
            asked("slo:current_burn_rate:ratio", [0.25, 5.0, 0.0])?,
            asked("slo:period_burn_rate:ratio", [0.25, 5.0, 0.0])?,
            asked("slo:period_error_budget_remaining:ratio", [0.75, -4.0, 1.0])?,
        ],
    })
}

/// First, only the short window exceeds the limit; then, only the long one. The other window is exactly at the limit. At the end, both
/// windows exceed it.
fn of_burn(spec: &Spec, burn: &Burn) -> Test {
    let wait = minutes(burn.wait);
    let (first, second) = (wait + 1, 2 * (wait + 1));
    let input = spec.slos.iter().flat_map(|slo| {
        let (at, above) = (number(burn.limit(slo)), number(ABOVE * burn.limit(slo)));
        let labels = &slo.labels(&spec.service);
        let values = |phases: [&String; 3]| phases.map(|value| format!("{value}x{wait}")).join(" ");
        [(burn.long, values([&at, &above, &above])), (burn.short, values([&above, &at, &above]))]
            .map(|(window, values)| Series { series: format!("{}{}", share_of(window), selector(labels)), values })
    });
    let asked = |minute: u32, exp_alerts| AlertTest { eval_time: format!("{minute}m"), alertname: ALERT.to_owned(), exp_alerts };
    let fired = spec.slos.iter().map(|slo| Expected {
        exp_labels: slo.labels(&spec.service).into_iter().chain(burn.labels(slo)).collect(),
        exp_annotations: without_places(burn.annotations(slo, &format!("{}%", number(100.0 * ABOVE * burn.limit(slo))))),
    });
    Test {
        name: format!("a burn rate of {} over {} and {}", burn.factor, burn.long, burn.short),
        interval: "1m".to_owned(),
        external_labels: Texts::new(),
        input_series: input.collect(),
        alert_rule_test: vec![
            asked(first - 1, Vec::new()),
            asked(second - 1, Vec::new()),
            asked(second + wait - 1, Vec::new()),
            asked(second + wait, fired.collect()),
        ],
        promql_expr_test: Vec::new(),
    }
}

/// Removes the external labels at the start of links: in tests, these labels are empty.
fn without_places(annotations: Texts) -> Texts {
    let links = ["{{ $externalLabels.runbooks_url }}", "{{ $externalLabels.grafana_url }}"];
    annotations.into_iter().map(|(name, text)| (name, links.iter().fold(text, |text, link| text.replace(link, "")))).collect()
}

fn asked(name: &str, minute: u32, answers: [(&str, f64); 3]) -> Result<SeriesTest> {
    let samples = answers.map(|(slo, value)| serde_norway::to_value(json!({ "labels": format!("{{slo=\"{slo}\"}}"), "value": value })));
    let exp_samples = samples.into_iter().collect::<Result<_, _>>()?;
    Ok(SeriesTest { expr: format!("round({name}, 0.001)"), eval_time: format!("{minute}m"), exp_samples })
}

fn series(name: &str, slo: &str, values: String) -> Series {
    Series { series: format!("{name}{{slo=\"{slo}\"}}"), values }
}

fn selector(labels: &Texts) -> String {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    format!("{{{}}}", labels.join(", "))
}

/// The length of a window such as `30m` or `3d`.
fn minutes(window: &str) -> u32 {
    let (number, unit) = window.split_at(window.len() - 1);
    let unit = match unit {
        "d" => 24 * 60,
        "h" => 60,
        _ => 1,
    };
    number.parse::<u32>().map_or(0, |number| number * unit)
}
