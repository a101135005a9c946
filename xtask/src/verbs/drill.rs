//! `cargo xtask drill`: takes alerts from their cause to the notification of their resolution, on a whole stack; with `--quiet`, proves
//! that no alert fires without a cause. The causes are in `drill`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rustix::process::Signal;

use crate::drill::bench::Bench;
use crate::drill::{Drill, document, run, schedule, watch};
use crate::form::{Choice, Form};
use crate::http::get;
use crate::load::Load;
use crate::paths;
use crate::ports::{MAX_REPLICAS, Port};
use crate::process::{pause, wait_until};
use crate::report::{Outcome, Report};
use crate::stack::PROGRAMS;
use crate::tools::{K6, SOCKET_IO_CLIENT, Tool, require};
use crate::verbs::up;

/// Time in which every rule is evaluated at production pace, even when one evaluation is late.
const TWO_EVALUATIONS: Duration = Duration::from_secs(30);

/// Make alerts fire and resolve by injecting their causes.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Drill these alerts, or single variants such as `ErrorBudgetBurn:login:critical`, and update their rows of docs/ALERTS.md.
    #[arg(value_name = "NAME", required_unless_present_any = ["all", "quiet"])]
    names: Vec<String>,
    /// Drill every alert; writes docs/ALERTS.md when all of them pass.
    #[arg(long)]
    all: bool,
    /// Instead, run a cold start, load and a rolling restart, during which no alert may fire.
    #[arg(long, conflicts_with_all = ["all", "names"])]
    quiet: bool,
    /// Divide every interval and wait of the monitoring by this number.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    speed: u32,
    /// Duration of the load of `--quiet`, in minutes.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    #[command(flatten)]
    form: Choice,
}

/// The tools that a drill needs.
pub fn programs() -> Vec<&'static Tool> {
    PROGRAMS.into_iter().chain([&SOCKET_IO_CLIENT, &K6]).collect()
}

/// Runs the verb and returns whether every step passed.
pub fn run(args: &Args) -> Result<bool> {
    require(&programs(), args.install)?;
    up::build(false, args.install)?;
    let mut report = Report::new("drill");
    let form = args.form.form();
    if args.quiet {
        quiet(&mut report, args.minutes, form)?;
        return report.finish();
    }
    let all = schedule::ALL.iter().map(|batch| batch.iter().collect()).collect();
    let batches = if args.all { all } else { chosen(&args.names)? };
    let account = match form {
        // The document describes the demo form only.
        Form::Production => Account::None,
        Form::Demo if args.all => Account::Whole,
        Form::Demo => Account::Rows,
    };
    add(&mut report, &batches, args.speed, form, account)?;
    report.finish()
}

/// Adds the drills of a short check.
pub fn short(report: &mut Report) -> Result<()> {
    let batches: Vec<Vec<&Drill>> = schedule::SHORT.iter().map(|batch| batch.iter().collect()).collect();
    add(report, &batches, 30, Form::Demo, Account::None)
}

/// The drills of the named alerts, in one batch, in the order of the schedule.
fn chosen(names: &[String]) -> Result<Vec<Vec<&'static Drill>>> {
    let is_of = |name: &String, drill: &Drill| drill.alerts.iter().any(|alert| *alert == name || watch::parts(alert).0 == name);
    for name in names {
        ensure!(schedule::ALL.iter().flat_map(|batch| batch.iter()).any(|drill| is_of(name, drill)), "{name} has no drill");
    }
    let batches = schedule::ALL.iter().map(|batch| batch.iter().filter(|drill| names.iter().any(|name| is_of(name, drill))).collect());
    Ok(batches.filter(|batch: &Vec<&Drill>| !batch.is_empty()).collect())
}

/// Which part of docs/ALERTS.md to write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Account {
    None,
    /// The rows of the drilled alerts.
    Rows,
    /// The whole document, when every drill passed.
    Whole,
}

fn add(report: &mut Report, batches: &[Vec<&Drill>], speed: u32, form: Form, account: Account) -> Result<()> {
    let folder = paths::temporary("drill")?;
    let mut started = None;
    report.step(format!("a stack under load, its monitoring at {speed} times the speed"), || {
        let bench = Bench::start(folder.path().to_owned(), speed, form)?;
        let load = load(&bench, Duration::from_hours(2))?;
        started = Some((load, bench));
        Ok(Outcome::passed())
    })?;
    let Some((_load, mut bench)) = started else { return Ok(()) };
    let mut drilled = Vec::new();
    for batch in batches {
        let mut of_batch = run::batch(report, &mut bench, batch, speed)?;
        if account == Account::Rows {
            of_batch.retain(|drill| drill.times.are_complete());
            document::update(&bench, &of_batch)?;
        }
        drilled.extend(of_batch);
    }
    if account == Account::Whole {
        report.step("Watchdog", || watchdog(&mut bench, speed))?;
        if drilled.iter().all(|drill| drill.times.are_complete()) {
            document::write(&bench, speed, &drilled)?;
        }
    }
    Ok(())
}

/// The load that runs during drills.
pub fn load(bench: &Bench, duration: Duration) -> Result<Load> {
    let prometheus = bench.url(Port::Prometheus)?;
    Load::start(&bench.stack.edge()?, Some(&prometheus), "demo", duration, &bench.folder().join("load"))
}

/// Proves that the alert that always fires notifies its receiver repeatedly, and stops doing so while nobody sends it.
fn watchdog(bench: &mut Bench, speed: u32) -> Result<Outcome> {
    // `repeat_interval` of its route, plus a margin.
    let limit = Duration::from_mins(30) / speed + Duration::from_secs(15);
    let heard = watch::mail_to(bench, "dead-man@vitrine.example")?;
    until_heard(bench, heard, limit)?;
    bench.stack.signal("alertmanager", Signal::STOP)?;
    let silent = watch::mail_to(bench, "dead-man@vitrine.example")?;
    let start = Instant::now();
    while start.elapsed() < limit {
        pause()?;
    }
    let still = watch::mail_to(bench, "dead-man@vitrine.example")?;
    bench.stack.signal("alertmanager", Signal::CONT)?;
    ensure!(still == silent, "a frozen Alertmanager sent {} notifications", still - silent);
    until_heard(bench, still, limit)?;
    Ok(Outcome::passed().with_note("notified repeatedly, not while Alertmanager was frozen, and again afterwards"))
}

fn until_heard(bench: &Bench, before: usize, limit: Duration) -> Result<()> {
    wait_until("the dead man's switch notifies", limit, || Ok(watch::mail_to(bench, "dead-man@vitrine.example")? > before))
}

/// A cold start, load, and the replacement of every replica at production pace, without an alert.
fn quiet(report: &mut Report, minutes: u32, form: Form) -> Result<()> {
    let folder = paths::temporary("quiet")?;
    let mut bench = Bench::start(folder.path().to_owned(), 1, form)?;
    let length = Duration::from_mins(1) * minutes;
    let load = load(&bench, length + Duration::from_mins(10))?;
    report.step("cold start and nominal load", || hush(&bench, length / 2))?;
    report.step("rolling restart", || {
        for number in 1..=MAX_REPLICAS {
            bench.stack.replace_replica(number, Signal::TERM)?;
            hush(&bench, TWO_EVALUATIONS)?;
        }
        Ok(Outcome::passed())
    })?;
    report.step("nominal load after it", || hush(&bench, length / 2))?;
    report.step("load", || {
        let summary = load.stop()?;
        Ok(Outcome::passed().with_note(format!("{} requests", summary.requests)))
    })
}

/// Fails when an alert other than Watchdog fires within the time, or when rules were not evaluated: they would be silent for that reason.
fn hush(bench: &Bench, length: Duration) -> Result<Outcome> {
    let before = Evaluations::of(bench)?;
    let start = Instant::now();
    let mut looks = 0_u32;
    while start.elapsed() < length {
        let loud = watch::firing(bench)?.into_iter().find(|labels| labels["alertname"] != "Watchdog");
        if let Some(labels) = loud {
            bail!("{labels} after {} s", start.elapsed().as_secs());
        }
        looks += 1;
        pause()?;
    }
    let rules = Evaluations::of(bench)?.since(&before)?;
    Ok(Outcome::passed().with_note(format!("{} s, polled {looks} times, {rules} rule evaluations", length.as_secs())))
}

/// Prometheus' own counts of rule evaluations by group, and of failed ones.
struct Evaluations {
    by_group: BTreeMap<String, f64>,
    failed: f64,
}

impl Evaluations {
    fn of(bench: &Bench) -> Result<Self> {
        Ok(Self::read(&get(&format!("{}/metrics", bench.url(Port::Prometheus)?))?.body))
    }

    fn read(metrics: &str) -> Self {
        let samples = |name: &'static str| {
            let sample = move |line: &str| {
                let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.split_once("} ")?;
                Some((labels.to_owned(), value.parse::<f64>().ok()?))
            };
            metrics.lines().filter_map(sample)
        };
        Self {
            by_group: samples("prometheus_rule_evaluations_total").collect(),
            failed: samples("prometheus_rule_evaluation_failures_total").map(|(_, count)| count).sum(),
        }
    }

    /// The number of evaluations since `before`; fails when a group had none, and when one failed.
    fn since(&self, before: &Self) -> Result<f64> {
        ensure!(!self.by_group.is_empty(), "Prometheus evaluates no rules");
        let grown = |(group, count): (&String, &f64)| (group.clone(), count - before.by_group.get(group).copied().unwrap_or_default());
        let grown: Vec<(String, f64)> = self.by_group.iter().map(grown).collect();
        let idle: Vec<&str> = grown.iter().filter(|(_, count)| *count <= 0.0).map(|(group, _)| group.as_str()).collect();
        ensure!(idle.is_empty(), "no rule was evaluated in {}", idle.join(", "));
        ensure!(self.failed <= before.failed, "{} rule evaluations failed", self.failed - before.failed);
        Ok(grown.into_iter().map(|(_, count)| count).sum())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn silence_lasts_at_least_a_minute() {
        let minutes = |text: &str| Command::try_parse_from(["drill", "--quiet", "--minutes", text]).map(|command| command.args.minutes);
        assert!(minutes("0").is_err());
        assert_eq!(minutes("1").unwrap(), 1);
    }

    #[test]
    fn rules_that_nobody_evaluates_are_not_quiet() {
        let counts = |http: u32, slo: u32, failed: u32| {
            Evaluations::read(&format!(
                "# TYPE prometheus_rule_evaluations_total counter\n\
                 prometheus_rule_evaluations_total{{rule_group=\"http.yml;http\"}} {http}\n\
                 prometheus_rule_evaluations_total{{rule_group=\"slo.yml;slo\"}} {slo}\n\
                 prometheus_rule_evaluation_failures_total{{rule_group=\"slo.yml;slo\"}} {failed}\n"
            ))
        };
        let before = counts(10, 20, 1);
        let fails = |after: Evaluations| after.since(&before).unwrap_err().to_string();
        assert!(Evaluations::read("").since(&before).is_err(), "no rules");
        assert_eq!(fails(counts(10, 20, 1)), "no rule was evaluated in rule_group=\"http.yml;http\", rule_group=\"slo.yml;slo\"");
        assert_eq!(fails(counts(20, 20, 1)), "no rule was evaluated in rule_group=\"slo.yml;slo\"");
        assert_eq!(fails(counts(20, 40, 2)), "1 rule evaluations failed");
        assert!((counts(20, 40, 1).since(&before).unwrap() - 30.0).abs() < f64::EPSILON);
    }
}
