//! The order of the proof. The first cause is the load, and under load no panel may be empty. The other causes follow one after the other.
//! Before each cause, the proof records the baseline of its panels.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use devstack::form::Form;
use devstack::paths;
use devstack::ports::Port;
use devstack::process::{check_interrupt, rest};
use devstack::report::{Outcome, Report};
use devstack::speed::Pace;
use rule_tools::dashboards::{self, Dashboard, Panel, Variables};

use super::baseline::Baseline;
use super::causes::Cause;
use super::query::{self, Query, SHOWN};
use super::shown::{Shown, now, query_range, values};
use crate::drill::test_stack::TestStack;

/// The time after which the windows of most rates no longer contain the preceding cause.
const SETTLE: Duration = Duration::from_secs(6);
/// Replaces [`SETTLE`] before a cause that makes the edge lose replicas: the preceding cause may have done so, too, and the edge updates
/// its metric of healthy replicas only every ten seconds.
const SETTLE_OF_REPLICAS: Duration = Duration::from_secs(15);
/// Duration of the first recording of the baseline.
const QUIET: Duration = Duration::from_secs(6);
/// Maximum number of control phases. Each lasts as long as the recording before it and checks whether the panels stay within the baseline.
const CONTROLS: u8 = 3;
/// Time limit for the panels to move after their cause is injected, and for all panels to have data under load.
const LIMIT: Duration = Duration::from_secs(45);
/// Time limit for the panels to move after the load begins: some journeys begin only every half minute and take half a minute.
const LIMIT_OF_TRAFFIC: Duration = Duration::from_mins(2);
/// Maximum number of times that a cause is injected. Other programs of the machine can hide a movement; a panel that does not react to its
/// cause fails every time.
const ATTEMPTS: u8 = 3;

/// A panel and the state of its proof.
struct Case {
    name: String,
    cause: Cause,
    queries: Vec<Watched>,
    /// The problem with the panel's data under load, if any.
    trouble: Option<String>,
    /// Number of times that the cause was injected for this panel.
    attempts: u8,
    /// Number of times that the panel left its baseline without its cause, in the last attempt.
    restless: u8,
    moved: Moved,
}

/// A query and its baseline, once it is recorded.
struct Watched {
    query: Query,
    baseline: Option<Baseline>,
}

/// Whether a panel has moved.
enum Moved {
    NotYet,
    /// Seconds from the cause to the movement.
    After(f64),
    /// A query failed, and no movement was seen.
    Unseen(String),
}

/// The panels to prove, with their dashboards.
pub struct Proof {
    dashboards: Vec<(Dashboard, Variables)>,
    cases: Vec<Case>,
    step: Duration,
    speed: u32,
}

impl Proof {
    /// Reads the committed dashboards for a stack whose monitoring runs at `speed` times its normal speed. Selects the panels of the chosen
    /// causes, or all panels if none are chosen.
    pub fn read(speed: u32, chosen: &[Cause]) -> Result<Self> {
        let pace = Pace::of(&dashboards::prometheus()?, speed);
        let causes = dashboards::causes::<Cause>()?;
        let mut proof = Self { dashboards: Vec::new(), cases: Vec::new(), step: pace.interval(), speed };
        for dashboard in dashboards::committed()? {
            let variables = Variables::of(&dashboard, pace).with_context(|| dashboard.uid.clone())?;
            for panel in dashboard.shown() {
                let cause = causes.get(&dashboard.uid).and_then(|panels| panels.get(&panel.id));
                let cause = *cause.with_context(|| format!("{} / {}: has no cause in causes.json", dashboard.title, panel.title))?;
                if chosen.is_empty() || chosen.contains(&cause) {
                    proof.cases.push(Case::new(&dashboard, panel, cause, &variables)?);
                }
            }
            proof.dashboards.push((dashboard, variables));
        }
        Ok(proof)
    }

    /// Selects the panels that query the edge's metrics and have the cause `traffic`. Their proof takes about half a minute.
    pub fn of_the_edge(speed: u32) -> Result<Self> {
        let mut proof = Self::read(speed, &[Cause::Traffic])?;
        proof.cases.retain(|case| case.queries.iter().any(|watched| watched.query.text.contains("caddy_http_")));
        proof.dashboards.retain(|(dashboard, _)| proof.cases.iter().any(|case| case.name.starts_with(&dashboard.title)));
        ensure!(!proof.cases.is_empty(), "no panel queries the edge's metrics");
        Ok(proof)
    }

    /// Starts a stack of this form and runs the proof on it.
    pub fn on_a_stack(self, report: &mut Report, form: Form) -> Result<()> {
        let folder = paths::temporary("panels")?;
        let started = report.obtain(format!("a stack, its monitoring at {} times the speed", self.speed), || {
            Ok((TestStack::start(folder.path().to_owned(), self.speed, form)?, Outcome::passed()))
        })?;
        started.map_or(Ok(()), |mut test| self.run(report, &mut test))
    }

    /// Runs the proof; adds one row per panel.
    pub fn run(mut self, report: &mut Report, test: &mut TestStack) -> Result<()> {
        // The load is always included, because all other causes happen under load.
        let causes: BTreeSet<Cause> = self.cases.iter().map(|case| case.cause).chain([Cause::Traffic]).collect();
        for cause in causes.into_iter().filter(|cause| cause.is_injectable()) {
            let start = Instant::now();
            eprintln!("--- {cause}");
            // The load starts once and then continues.
            let attempts = if cause == Cause::Traffic { 1 } else { ATTEMPTS };
            for _ in 0..attempts {
                self.prove(cause, report, test)?;
                check_interrupt()?;
                if self.cases.iter().all(|case| case.cause != cause || case.has_moved()) {
                    break;
                }
            }
            if cause == Cause::Traffic {
                self.wait_for_data(test)?;
                self.check_variables(report, test)?;
            }
            for case in self.cases.iter().filter(|case| case.cause == cause) {
                let outcome = case.outcome();
                eprintln!("    {}: {}", case.name, outcome.note);
                report.add(case.name.as_str(), start.elapsed(), outcome);
            }
        }
        for case in self.cases.iter().filter(|case| !case.cause.is_injectable()) {
            report.step(case.name.as_str(), || case.without_cause(test, self.step))?;
        }
        Ok(())
    }

    /// Injects a cause and watches those of its panels that have not moved yet.
    fn prove(&mut self, cause: Cause, report: &mut Report, test: &mut TestStack) -> Result<()> {
        let mut cases: Vec<&mut Case> = self.cases.iter_mut().filter(|case| case.cause == cause && !case.has_moved()).collect();
        for case in &mut cases {
            case.attempts += 1;
            case.restless = 0;
        }
        rest(if cause.is_of_replicas() { SETTLE_OF_REPLICAS } else { SETTLE })?;
        record(test, &mut cases, self.step)?;
        let begin = now();
        let made = cause.make(test);
        if made.is_ok() {
            watch(test, cause, &mut cases, begin, self.step)?;
        }
        let ended = made.and_then(|end| end(test)).and_then(|()| test.end_faults());
        if let Err(error) = ended {
            report.step(format!("{cause} is injected and ended"), || Err(error))?;
            test.end_faults()?;
        }
        Ok(())
    }

    /// Waits until every query of every panel returns data, or until [`LIMIT`] passes.
    fn wait_for_data(&mut self, test: &TestStack) -> Result<()> {
        let start = Instant::now();
        loop {
            let to = now();
            for case in self.cases.iter_mut().filter(|case| case.cause.is_injectable()) {
                case.trouble = case.trouble(test, to, self.step);
            }
            if self.cases.iter().all(|case| case.trouble.is_none()) || start.elapsed() > LIMIT {
                return Ok(());
            }
            rest(self.step)?;
        }
    }

    /// Checks that variables have values and that the queries of annotations are valid.
    fn check_variables(&self, report: &mut Report, test: &TestStack) -> Result<()> {
        let prometheus = test.url(Port::Prometheus)?;
        for (dashboard, variables) in &self.dashboards {
            report.step(format!("{} / variables and annotations", dashboard.title), || {
                for (name, choices) in dashboard.choices() {
                    let (series, label) = choices.with_context(|| format!("the variable {name} has a query of an unknown form"))?;
                    let count = values(&prometheus, &variables.fill(series)?, label)?;
                    ensure!(count > 0, "the variable {name} has no values");
                }
                let to = now();
                for annotation in dashboard.annotations() {
                    let query = variables.fill(&annotation.expr)?;
                    query_range(&prometheus, &query, to - SHOWN.as_secs_f64(), to, self.step).with_context(|| annotation.name.clone())?;
                }
                Ok(Outcome::passed())
            })?;
        }
        Ok(())
    }
}

impl Case {
    fn new(dashboard: &Dashboard, panel: &Panel, cause: Cause, variables: &Variables) -> Result<Self> {
        let queries = Query::of(dashboard, panel, variables)?.into_iter().map(|query| Watched { query, baseline: None }).collect();
        Ok(Self { name: query::name(dashboard, panel), cause, queries, trouble: None, attempts: 0, restless: 0, moved: Moved::NotYet })
    }

    /// Records the baseline from the samples between two times.
    fn record(&mut self, test: &TestStack, from: f64, to: f64, step: Duration) {
        self.moved = Moved::NotYet;
        // Both ends are included.
        let times = 1 + usize::try_from(Duration::from_secs_f64(to - from).as_millis() / step.as_millis()).unwrap_or_default();
        let alerts = self.cause.alerts();
        for watched in &mut self.queries {
            match watched.range(test, from, to, step) {
                Ok(quiet) => {
                    let baseline = Baseline::of(&quiet, times).restless(self.restless).of_alerts(&alerts);
                    watched.baseline = Some(if watched.query.is_of_buckets { baseline.in_shades() } else { baseline });
                }
                Err(error) => self.moved = Moved::Unseen(format!("query {}: {error:#}", watched.query.name)),
            }
        }
    }

    /// The problem with the panel's data in the time range [`SHOWN`] that ends at `to`, if any.
    fn trouble(&self, test: &TestStack, to: f64, step: Duration) -> Option<String> {
        match test.url(Port::Prometheus) {
            Ok(prometheus) => self.queries.iter().find_map(|watched| watched.query.trouble(&prometheus, to, step)),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Checks a panel whose cause cannot be injected: its queries are valid. They return nothing; otherwise the panel has to name a cause
    /// that can be injected.
    fn without_cause(&self, test: &TestStack, step: Duration) -> Result<Outcome> {
        let to = now();
        for watched in &self.queries {
            let name = &watched.query.name;
            let shown = watched.range(test, to - SHOWN.as_secs_f64(), to, step).with_context(|| format!("query {name}"))?;
            ensure!(shown.is_empty(), "query {name} has data although {} cannot be injected: name another cause", self.cause);
        }
        Ok(Outcome::skipped(format!("SKIPPED: this stack has no {}; the queries are valid", self.cause)))
    }

    /// Checks whether the panel moved between `from` and `to`. The time to the movement counts from `begin`.
    fn check(&mut self, test: &TestStack, begin: f64, from: f64, to: f64, step: Duration) {
        self.moved = Moved::NotYet;
        for watched in &self.queries {
            let Some(baseline) = &watched.baseline else { continue };
            match watched.range(test, from, to, step) {
                Ok(shown) => {
                    if let Some(time) = baseline.left(&shown, from) {
                        self.moved = Moved::After(time - begin);
                        return;
                    }
                }
                Err(error) => self.moved = Moved::Unseen(format!("query {}: {error:#}", watched.query.name)),
            }
        }
    }

    fn has_moved(&self) -> bool {
        matches!(self.moved, Moved::After(_))
    }

    fn outcome(&self) -> Outcome {
        let cause = self.cause;
        let trouble = self.trouble.as_ref().map(|trouble| format!("; under load: {trouble}")).unwrap_or_default();
        let restless =
            if self.restless == 0 { String::new() } else { format!(", left its baseline {} times without its cause", self.restless) };
        let attempt = if self.attempts < 2 { String::new() } else { format!(", in attempt {}", self.attempts) };
        match &self.moved {
            Moved::After(seconds) if trouble.is_empty() => {
                Outcome::passed().with_note(format!("{cause}: moved after {seconds:.1} s{restless}{attempt}"))
            }
            Moved::After(seconds) => Outcome::failed(format!("{cause}: moved after {seconds:.1} s{trouble}")),
            Moved::NotYet => Outcome::failed(format!("{cause}: did not move{restless}{attempt}{trouble}")),
            Moved::Unseen(error) => Outcome::failed(format!("{cause}: {error}{trouble}")),
        }
    }
}

impl Watched {
    /// The data of the query between two times.
    fn range(&self, test: &TestStack, from: f64, to: f64, step: Duration) -> Result<Shown> {
        self.query.range(&test.url(Port::Prometheus)?, from, to, step)
    }
}

/// Records the baseline of panels until no panel moves during a control phase, or until the last of [`CONTROLS`] phases.
fn record(test: &TestStack, cases: &mut [&mut Case], step: Duration) -> Result<()> {
    let begin = now();
    rest(QUIET)?;
    let mut to = now();
    for case in cases.iter_mut() {
        case.record(test, begin, to, step);
    }
    for _ in 0..CONTROLS {
        rest(Duration::from_secs_f64(to - begin))?;
        let from = to;
        to = now();
        let mut is_calm = true;
        for case in cases.iter_mut() {
            case.check(test, begin, from, to, step);
            if case.has_moved() {
                is_calm = false;
                case.restless += 1;
                case.record(test, begin, to, step);
            }
        }
        if is_calm {
            break;
        }
    }
    Ok(())
}

/// Polls until all panels have moved or the time limit passes.
fn watch(test: &TestStack, cause: Cause, cases: &mut [&mut Case], begin: f64, step: Duration) -> Result<()> {
    let limit = if cause == Cause::Traffic { LIMIT_OF_TRAFFIC } else { LIMIT };
    let start = Instant::now();
    // Until the next scrape, Prometheus still returns samples from before the cause.
    let mut from = begin + step.as_secs_f64();
    while !cases.iter().all(|case| case.has_moved()) && start.elapsed() < limit {
        rest(step)?;
        let to = now();
        for case in cases.iter_mut().filter(|case| !case.has_moved()) {
            case.check(test, begin, from, to, step);
        }
        from = to;
    }
    Ok(())
}
