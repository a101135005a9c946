//! Traces of a stack that runs with tracing: a trace with its log lines and with the traces of the jobs that it caused, as a tree.
//!
//! `traces/model` has spans and lines, `traces/store` reads them from Tempo and Loki or from the programs that take their places,
//! `traces/story` puts together what belongs to a trace, `traces/tree` draws it, and `traces/form` writes times.

mod form;
mod model;
mod store;
mod story;
mod tree;

use anyhow::{Context, Result, bail};

pub use form::duration_text;
pub use model::{Line, Span, TraceId};
pub use store::{Found, Store};
pub use story::Story;

/// A condition for the spans of requests that a route of the service answered. Those of the edge have no route.
const REQUEST: &str = "kind = server && span.http.route != nil";
/// The least durations of the slowest requests, from the longest on. A search returns the newest traces, not the slowest.
const LEAST: [&str; 6] = ["10s", "3s", "1s", "300ms", "50ms", "0ms"];

/// What `cargo xtask trace` looks for.
#[derive(Clone, Copy)]
pub enum Wanted {
    /// The trace with this identifier.
    Id(TraceId),
    /// The request of the last hour that took longest.
    Slowest,
    /// The request of the last hour that failed last; if none failed, the job.
    Failed,
}

impl Wanted {
    /// Reads the argument of the verb.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "slowest" => Ok(Self::Slowest),
            "failed" => Ok(Self::Failed),
            _ => TraceId::parse(text).map(Self::Id).with_context(|| {
                format!("{text} is no trace: give `slowest`, `failed`, or 32 hexadecimal digits, such as the X-Request-Id of a response")
            }),
        }
    }

    /// The trace as text, for a terminal.
    pub fn text(self, stores: &Store) -> Result<String> {
        let (id, title) = match self {
            Self::Id(id) => (id, None),
            Self::Slowest => (stores.slowest()?.trace, Some("slowest request of the last hour")),
            Self::Failed => (stores.failed()?.trace, Some("last failure of the last hour")),
        };
        let story = Story::read(stores, id)?.with_context(|| {
            format!(
                "{} has no trace {id}: it was not in the sample (OTEL_TRACES_SAMPLER_ARG), is too old, or arrives within the next seconds",
                stores.tempo
            )
        })?;
        let title = title.map(|title| format!("{title}: {}\n", story.title())).unwrap_or_default();
        Ok(title + &tree::text(&story))
    }
}

impl Store {
    /// The request of the last hour that took longest.
    pub fn slowest(&self) -> Result<Found> {
        for least in LEAST {
            let found = self.search(&format!("{{ {REQUEST} && duration >= {least} }}"))?;
            if let Some(slowest) = found.into_iter().max_by_key(|found| found.duration) {
                return Ok(slowest);
            }
        }
        bail!(
            "{} has no request of the last hour: send one, or lower SLOW_REQUEST or raise OTEL_TRACES_SAMPLER_ARG to keep more",
            self.tempo
        )
    }

    /// The request of the last hour that failed last; if none failed, the job.
    pub fn failed(&self) -> Result<Found> {
        for work in [REQUEST, "kind = consumer"] {
            let found = self.search(&format!("{{ {work} && status = error }}"))?;
            if let Some(last) = found.into_iter().max_by_key(|found| found.start) {
                return Ok(last);
            }
        }
        bail!("{} has no request and no job of the last hour that failed", self.tempo)
    }
}
