//! The goals for Vitrine's cost. Each divides a measured figure by a peer's figure of the same run or by a fixed value, and limits the
//! ratio. `measure.rs` takes the figures.

use devstack::report::Outcome;

use super::cases::Case;
use super::results::{Results, Sample, Size};
use super::target::Name;

/// The limit of CPU per request relative to Fastify's, for each case.
const FASTIFY_CPU: [(Case, f64); 6] =
    [(Case::Health, 0.45), (Case::Me, 0.50), (Case::Project, 0.50), (Case::List, 0.30), (Case::Create, 0.60), (Case::Metrics, 1.0)];
/// The cases whose CPU per request is compared with plain axum's. Plain axum's `/metrics` has only three metrics and is not comparable.
const PLAIN_CPU: [Case; 5] = [Case::Health, Case::Me, Case::Project, Case::List, Case::Create];
const PLAIN_LIMIT: f64 = 1.0;
/// The limit of CPU per request for a cached project with other settings, relative to the CPU with the default settings.
const VARIANTS: [(Name, &str, f64); 2] =
    [(Name::Traced, "with a tenth of the traces ÷ without traces", 1.10), (Name::Logged, "with a line for a tenth ÷ without lines", 1.05)];
/// The limit of CPU per `GET /health` relative to bare axum's.
const BARE_LIMIT: f64 = 1.5;
const METRICS_BYTES: f64 = 250_000.0;
/// Figures that are not about requests, each with its limit in its own unit.
const SIZES: [(Size, &str, f64); 4] = [
    (Size::IdleMemory, "memory of an idle replica ÷ 20 MB", 20.0),
    (Size::LoadedMemory, "memory after the load ÷ 32 MB", 32.0),
    (Size::Socket, "memory of an idle socket ÷ 10 kB", 10.0),
    (Size::IdleCpu, "CPU of an idle replica ÷ 0.5 % of a core", 0.5),
];

/// One ratio and its limit.
#[derive(Debug)]
pub struct Goal {
    /// The figure and its divisor, in words.
    pub what: String,
    /// The measured ratio.
    pub ratio: f64,
    /// The largest allowed ratio.
    pub limit: f64,
    /// Whether other programs used the machine too much for a judgement.
    pub disturbed: bool,
}

impl Goal {
    /// The verdict in a few words.
    pub fn verdict(&self) -> &'static str {
        match self {
            Self { disturbed: true, .. } => "not judged: other programs used the machine",
            Self { ratio, limit, .. } if ratio <= limit => "met",
            _ => "missed",
        }
    }

    /// The row of the report.
    pub fn outcome(&self) -> Outcome {
        let note = format!("{:.2}, at most {:.2}: {}", self.ratio, self.limit, self.verdict());
        Outcome::from(self.verdict() == "met").with_note(note)
    }
}

/// Every goal with a measurement.
pub fn judge(results: &Results) -> Vec<Goal> {
    let cpu = |sample: &Sample| sample.cpu_micros;
    let mut goals = Vec::new();
    let mut divide = |[name, other]: [Name; 2], case: Case, limit: f64, of: fn(&Sample) -> f64, what: String| {
        if let Some(ratio) = results.quotient(name, other, case, of) {
            let disturbed = [name, other].iter().any(|name| results.is_disturbed(*name, case));
            goals.push(Goal { what, ratio, limit, disturbed });
        }
    };
    for (name, what, limit) in VARIANTS {
        divide([name, Name::Vitrine], Case::Project, limit, cpu, format!("CPU of {}, {what}", Case::Project.name()));
    }
    let mut compare = |other, case, limit, of, what| divide([Name::Vitrine, other], case, limit, of, what);
    for (case, limit) in FASTIFY_CPU {
        compare(Name::Fastify, case, limit, cpu, format!("CPU of {} ÷ Fastify", case.name()));
    }
    for case in PLAIN_CPU {
        compare(Name::PlainAxum, case, PLAIN_LIMIT, cpu, format!("CPU of {} ÷ plain axum", case.name()));
    }
    compare(Name::BareAxum, Case::Health, BARE_LIMIT, cpu, "CPU of GET /health ÷ bare axum".to_owned());
    for case in Case::ALL {
        compare(Name::Fastify, case, 1.0, |sample| sample.p99_ms, format!("p99 of {} ÷ Fastify", case.name()));
    }
    if let Some(bytes) = results.median(Name::Vitrine, Case::Metrics, |sample| sample.bytes) {
        let what = "bytes of GET /metrics ÷ 250 kB".to_owned();
        goals.push(Goal { what, ratio: bytes / METRICS_BYTES, limit: 1.0, disturbed: false });
    }
    for (size, what, limit) in SIZES {
        if let Some(value) = results.size(Name::Vitrine, size) {
            goals.push(Goal { what: what.to_owned(), ratio: value / limit, limit: 1.0, disturbed: false });
        }
    }
    goals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(vitrine: f64, fastify: f64, disturbed: bool) -> Results {
        let mut results = Results::default();
        for (name, cpu_micros) in [(Name::Vitrine, vitrine), (Name::Fastify, fastify)] {
            let sample = Sample { cpu_micros, p99_ms: 1.0, busy: 1.0, bytes: 500_000.0, disturbed };
            results.add(name, Case::Me, sample);
        }
        results
    }

    fn verdicts(results: &Results) -> Vec<(String, &'static str)> {
        judge(results).into_iter().map(|goal| (goal.what.clone(), goal.verdict())).collect()
    }

    #[test]
    fn only_measured_goals_are_judged() {
        let expected = [("CPU of GET /api/auth/me ÷ Fastify", "met"), ("p99 of GET /api/auth/me ÷ Fastify", "met")];
        assert_eq!(verdicts(&results(50.0, 100.0, false)), expected.map(|(what, verdict)| (what.to_owned(), verdict)));
        assert_eq!(judge(&results(51.0, 100.0, false))[0].verdict(), "missed");
        assert!(judge(&Results::default()).is_empty());
    }

    #[test]
    fn a_disturbed_goal_is_not_met() {
        let goals = judge(&results(1.0, 100.0, true));
        assert_eq!(goals[0].outcome().failed, 1);
    }

    #[test]
    fn a_size_is_judged_as_a_share_of_its_limit() {
        let mut results = Results::default();
        results.add_size(Name::Vitrine, Size::IdleMemory, 25.0);
        results.add_size(Name::Fastify, Size::IdleMemory, 95.0);
        let [goal] = &judge(&results)[..] else { panic!("expected one goal") };
        assert!((goal.ratio - 1.25).abs() < 1e-9, "{goal:?}");
        assert_eq!(goal.verdict(), "missed");
    }
}
