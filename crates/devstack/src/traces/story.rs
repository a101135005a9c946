//! What belongs to a trace: its spans and log lines, the work that caused it, and the jobs that it caused. A job has a trace of its own,
//! with a link to the request that wrote it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;

use super::form::duration_text;
use super::model::{Line, Span, TraceId};
use super::store::Store;

/// Maximum number of traces in a story: a request may enqueue many jobs, and a job further ones.
const TRACES: usize = 50;

/// A trace with everything that belongs to it.
pub struct Story {
    /// The trace.
    pub id: TraceId,
    /// Its spans, by their start.
    pub spans: Vec<Span>,
    /// Its log lines by their times, or why there are none.
    pub lines: Result<Vec<Line>>,
    /// The work that its spans are linked to, with its title if its trace was kept.
    pub causes: Vec<(TraceId, Option<String>)>,
    /// The traces that are linked to it, such as those of the jobs that a request wrote.
    pub caused: Vec<Story>,
}

impl Story {
    /// Reads a trace and what belongs to it; `None` if the store does not have the trace.
    pub fn read(stores: &Store, id: TraceId) -> Result<Option<Self>> {
        Self::below(stores, id, &mut BTreeSet::new())
    }

    fn below(stores: &Store, id: TraceId, seen: &mut BTreeSet<TraceId>) -> Result<Option<Self>> {
        seen.insert(id);
        let Some(mut spans) = stores.spans(id)?.filter(|spans| !spans.is_empty()) else { return Ok(None) };
        spans.sort_by_key(|span| span.start);
        let mut story = Self { id, spans, lines: Ok(Vec::new()), causes: Vec::new(), caused: Vec::new() };
        story.lines = stores.lines(id, story.start(), story.end());
        for cause in story.spans.iter().flat_map(|span| span.links.clone()).collect::<BTreeSet<_>>() {
            // The title of a cause that is already part of the story is a few lines above.
            let title = if seen.contains(&cause) { None } else { stores.spans(cause)?.and_then(|spans| title(&spans)) };
            story.causes.push((cause, title));
        }
        for caused in stores.linked_to(id)? {
            if seen.len() < TRACES && !seen.contains(&caused) {
                story.caused.extend(Self::below(stores, caused, seen)?);
            }
        }
        Ok(Some(story))
    }

    /// When the first span began.
    #[must_use]
    pub fn start(&self) -> Duration {
        self.spans.iter().map(|span| span.start).min().unwrap_or_default()
    }

    /// When the last span ended.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.spans.iter().map(Span::end).max().unwrap_or_default()
    }

    /// The time from its start to its end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.end().saturating_sub(self.start())
    }

    /// The work in one line: its name, its replica, its duration and whether it failed.
    #[must_use]
    pub fn title(&self) -> String {
        title(&self.spans).unwrap_or_default()
    }
}

/// The work of these spans. The request of a replica says more than that of the edge, which knows no routes.
fn title(spans: &[Span]) -> Option<String> {
    let is_work = |span: &&Span| matches!(span.kind.as_str(), "server" | "consumer");
    let is_named = |span: &&Span| is_work(span) && !span.attributes.is_empty();
    let work = spans.iter().find(is_named).or_else(|| spans.iter().find(is_work)).or_else(|| spans.first())?;
    let failed = if work.is_error { ", failed" } else { "" };
    Some(format!("{} on {}, {}{failed}", work.name, work.sender, duration_text(work.duration)))
}
