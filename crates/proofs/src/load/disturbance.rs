//! A disturbance during a run: replicas or a store restart while clients use the service. k6 counts the failed requests. `roll` examines
//! restarts of replicas more closely, and `health_matrix` examines faults of replicas and dependencies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use clap::ValueEnum;
use devstack::http::Client;
use devstack::process::{pause, rest, wait_until};
use devstack::report::Outcome;
use devstack::stack::Stack;
use rustix::process::Signal;

use crate::roll::replace_all;
use crate::users::sign_up;

/// Time limit of an answer while Postgres is unavailable: the 3 s within which the edge answers (see the Caddyfile), plus a margin.
const ANSWER_LIMIT: Duration = Duration::from_millis(3100);
/// Time limit from the start of Postgres until requests succeed again.
const RETURN_LIMIT: Duration = Duration::from_secs(5);
/// How long Postgres or Redis stays down: long enough for requests to arrive meanwhile.
const ABSENCE: Duration = Duration::from_secs(2);

/// A disturbance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Disturbance {
    /// Every replica is replaced, one after the other.
    RollingRestart,
    /// Redis is killed and started again.
    RedisRestart,
    /// Postgres is stopped and started again.
    PostgresRestart,
}

impl Disturbance {
    /// The name of the disturbance's step in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RollingRestart => "every replica is replaced",
            Self::RedisRestart => "Redis is killed and started again",
            Self::PostgresRestart => "Postgres is stopped and started again",
        }
    }

    /// Whether every request must succeed. Without Postgres, most requests are answered with 503.
    pub(super) fn is_hidden(self) -> bool {
        self != Self::PostgresRestart
    }

    /// Causes the disturbance.
    pub(super) fn cause(self, stack: &mut Stack) -> Result<Outcome> {
        match self {
            Self::RollingRestart => {
                replace_all(stack, Signal::TERM)?;
                Ok(Outcome::passed())
            }
            Self::RedisRestart => {
                stack.kill_redis()?;
                rest(ABSENCE)?;
                stack.start_redis()?;
                Ok(Outcome::passed())
            }
            Self::PostgresRestart => restart_postgres(stack),
        }
    }
}

/// A client that lists its projects again and again.
struct Member {
    client: Client,
    url: String,
    bearer: String,
}

/// The answers that a [`Member`] received while Postgres restarted.
#[derive(Default)]
struct Answers {
    refused: usize,
    slowest: Duration,
}

impl Member {
    fn new(edge: &str) -> Result<Self> {
        let token = sign_up(edge, "disturbed@example.org")?;
        Ok(Self { client: Client::new(), url: format!("{edge}/api/projects?limit=1"), bearer: format!("Bearer {token}") })
    }

    fn status(&self) -> Result<u16> {
        Ok(self.client.send("GET", &self.url, &[("authorization", &self.bearer)], None)?.status)
    }

    fn watch(&self, done: &AtomicBool) -> Result<Answers> {
        let mut answers = Answers::default();
        while !done.load(Ordering::Relaxed) {
            let start = Instant::now();
            let status = self.status()?;
            answers.slowest = answers.slowest.max(start.elapsed());
            ensure!(status == 200 || status == 503, "a request was answered with {status}");
            answers.refused += usize::from(status == 503);
            pause()?;
        }
        Ok(answers)
    }
}

fn restart_postgres(stack: &mut Stack) -> Result<Outcome> {
    let member = Member::new(&stack.edge()?)?;
    let done = AtomicBool::new(false);
    let (recovery, answers) = thread::scope(|scope| {
        let watching = scope.spawn(|| member.watch(&done));
        let recovery = stop_and_start(stack, &member);
        done.store(true, Ordering::Relaxed);
        (recovery, watching.join().map_err(|_| anyhow!("the client panicked")))
    });
    let (recovery, answers) = (recovery?, answers??);
    ensure!(answers.refused > 0, "no request was refused, so nothing is proven");
    let note = format!(
        "{} requests of a client refused with 503; slowest answer {:.1} s; success {:.1} s after the start",
        answers.refused,
        answers.slowest.as_secs_f64(),
        recovery.as_secs_f64()
    );
    Ok(Outcome::from(answers.slowest < ANSWER_LIMIT && recovery < RETURN_LIMIT).with_note(note))
}

/// Returns the time from the start of Postgres until a request succeeds.
fn stop_and_start(stack: &mut Stack, member: &Member) -> Result<Duration> {
    stack.stop_postgres()?;
    rest(ABSENCE)?;
    let start = Instant::now();
    stack.start_postgres()?;
    wait_until("a request succeeds", RETURN_LIMIT * 2, || Ok(member.status()? == 200))?;
    Ok(start.elapsed())
}
