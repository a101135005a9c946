//! Reads the reports of the probes, of the edge, and of Prometheus. `judge` compares them with the expected ones.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use std::{iter, thread};

use anyhow::{Context, Result, anyhow};
use devstack::http::{Answer, Client};
use devstack::ports::MAX_REPLICAS;
use serde_json::Value;

use super::cells::NOTHING;
use crate::drill::test_stack::TestStack;
use crate::drill::watch;

/// Time limit of a probe: longer than any answer of a healthy replica takes, and shorter than the edge's wait for a ready replica.
const PROBE_LIMIT: Duration = Duration::from_millis(1500);
/// How long a client waits for the edge.
const CLIENT_LIMIT: Duration = Duration::from_secs(10);
/// Number of requests that find out which replicas the edge chooses. If the edge chose at random, 24 requests would miss one of the three
/// replicas with a probability of 2 in 10,000.
const DRAWS: usize = 24;

/// The reports of the service itself.
#[derive(Debug)]
pub struct Service {
    /// `/health/live` of each replica: the HTTP status.
    pub live: Vec<String>,
    /// `/health/ready` of each replica: the HTTP status and the field `status` of the body.
    pub ready: Vec<String>,
    pub edge: FromEdge,
}

/// The answers that a client of the edge receives.
#[derive(Debug)]
pub struct FromEdge {
    /// The first status other than 200, or 200 if there is none; 0 means no answer.
    pub status: u16,
    /// Whether the first answer other than 200 has the header `Retry-After`.
    pub says_when_to_retry: bool,
    /// Duration of the slowest request.
    pub slowest: Duration,
    /// The replicas that answered with 200.
    pub replicas: BTreeSet<String>,
}

/// All reports.
pub struct Observation {
    pub service: Service,
    /// Series of the form `up{job="…"}`, `pg_up` and `redis_up` that are 0.
    pub down: BTreeSet<String>,
    /// The labels of each firing alert.
    pub firing: Vec<Value>,
}

/// Reads the reports of the service.
pub struct Observer {
    probe: Client,
    client: Client,
    edge: String,
    bearer: String,
    replicas: Vec<String>,
}

impl Observer {
    /// An observer with an account of its own.
    pub fn new(test: &TestStack) -> Result<Self> {
        Ok(Self {
            probe: Client::with_limit(PROBE_LIMIT),
            client: Client::with_limit(CLIENT_LIMIT),
            edge: test.stack.edge()?,
            bearer: format!("Bearer {}", test.new_account()?),
            replicas: (1..=MAX_REPLICAS).map(|number| test.stack.backend(number)).collect::<Result<_>>()?,
        })
    }

    /// The current reports.
    pub fn service(&self) -> Result<Service> {
        let probe = |path: &str| self.replicas.iter().map(|replica| self.probe(&format!("{replica}{path}"))).collect();
        Ok(Service { live: probe("/health/live"), ready: probe("/health/ready"), edge: self.edge()? })
    }

    fn probe(&self, url: &str) -> String {
        self.probe.send("GET", url, &[], None).map_or_else(|_| NOTHING.to_owned(), |answer| reported(&answer))
    }

    /// Sends a request that needs Postgres, and then [`DRAWS`] concurrent requests that need only a replica. If they were sequential, the
    /// answers of a slow replica would delay the observation for as long as an alert takes to fire.
    fn edge(&self) -> Result<FromEdge> {
        let reading = self.timed("/api/projects?limit=1", &[("authorization", &self.bearer)]);
        let draws: Vec<Timed> = thread::scope(|scope| {
            let sent: Vec<_> = (0..DRAWS).map(|_| scope.spawn(|| self.timed("/version", &[]))).collect();
            sent.into_iter().map(|request| request.join().map_err(|_| anyhow!("a client panicked"))).collect::<Result<_>>()
        })?;
        let mut replicas = BTreeSet::new();
        for answer in draws.iter().filter_map(|draw| draw.answer.as_ref()).filter(|answer| answer.status == 200) {
            replicas.insert(answer.json()?["replica"].as_str().context("the response of /version names no replica")?.to_owned());
        }
        let all = || iter::once(&reading).chain(&draws);
        let failed = all().find(|timed| timed.status() != 200);
        Ok(FromEdge {
            status: failed.map_or(200, Timed::status),
            says_when_to_retry: failed
                .and_then(|timed| timed.answer.as_ref())
                .is_some_and(|answer| !answer.header("retry-after").is_empty()),
            slowest: all().map(|timed| timed.duration).max().unwrap_or_default(),
            replicas,
        })
    }

    fn timed(&self, path: &str, headers: &[(&str, &str)]) -> Timed {
        let start = Instant::now();
        let answer = self.client.send("GET", &format!("{}{path}", self.edge), headers, None).ok();
        Timed { answer, duration: start.elapsed() }
    }
}

/// The answer to a request of a client, if any, and the duration of the request.
struct Timed {
    answer: Option<Answer>,
    duration: Duration,
}

impl Timed {
    /// The status of the answer; 0 for no answer.
    fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, |answer| answer.status)
    }
}

/// The HTTP status of an answer, and the field `status` of its body if there is one.
fn reported(answer: &Answer) -> String {
    let status = answer.json().ok().and_then(|body| body["status"].as_str().map(str::to_owned));
    status.map_or_else(|| answer.status.to_string(), |status| format!("{} {status}", answer.status))
}

/// All current reports.
pub fn observe(test: &TestStack, observer: &Observer) -> Result<Observation> {
    let service = observer.service()?;
    let down = test.query("{__name__=~\"up|pg_up|redis_up\"} == 0")?;
    let name = |series: &Value| {
        let metric = &series["metric"];
        match metric["__name__"].as_str().unwrap_or_default() {
            "up" => format!("up{{job={}}}", metric["job"]),
            other => other.to_owned(),
        }
    };
    Ok(Observation { service, down: down.iter().map(name).collect(), firing: watch::firing(test)? })
}
