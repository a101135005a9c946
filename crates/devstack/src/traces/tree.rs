//! A story as text: a line for each span and each log line, with columns for the time since the beginning of the trace, the duration, a bar
//! on the time axis and the process, and then the tree.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use super::form::duration_text;
use super::model::{Line, Span};
use super::story::Story;

/// Number of characters of the time axis.
const AXIS: usize = 24;
/// The attributes that are shown, if a span has them; those that names contain are not among them.
const SHOWN: [&str; 9] = [
    "http.response.status_code",
    "error.type",
    "url.path",
    "vitrine.cache.result",
    "db.system.name",
    "attempt",
    "server.address",
    "vitrine.driver",
    "enqueued_by",
];
/// Maximum number of attributes that are shown for a span.
const ATTRIBUTES: usize = 3;

/// The story of a trace.
pub fn text(story: &Story) -> String {
    let mut text = String::new();
    add(story, &mut text);
    text
}

fn add(story: &Story, text: &mut String) {
    let began = humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + story.start());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "trace {}  {began}  {} in {}", story.id, count(story.spans.len(), "span"), duration_text(story.duration()));
    for (cause, title) in &story.causes {
        let title = title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
        let _ = writeln!(text, "caused by {cause}{title}");
    }
    let lines = story.lines.as_deref().unwrap_or_default();
    Drawing::of(story, lines).draw(text);
    if let Err(error) = &story.lines {
        let _ = writeln!(text, "{error:#}");
    }
    for caused in &story.caused {
        let later = caused.start().saturating_sub(story.start());
        let _ = writeln!(text, "\ncaused {} after the beginning: {}", duration_text(later), caused.title());
        add(caused, text);
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A span or a line, as a node of the tree.
#[derive(Clone, Copy)]
enum Node<'a> {
    Span(&'a Span),
    Line(&'a Line),
}

impl Node<'_> {
    fn time(&self) -> Duration {
        match self {
            Self::Span(span) => span.start,
            Self::Line(line) => line.time,
        }
    }
}

struct Drawing<'a> {
    nodes: Vec<(Option<&'a str>, Node<'a>)>,
    start: Duration,
    length: Duration,
    /// Number of characters of the longest name of a process.
    senders: usize,
}

impl<'a> Drawing<'a> {
    fn of(story: &'a Story, lines: &'a [Line]) -> Self {
        let is_known = |id: &str| story.spans.iter().any(|span| span.id == id);
        // Spans below a span that is not in the store, such as that of a browser, are roots.
        let parent = |span: &'a Span| span.parent.as_deref().filter(|parent| is_known(parent));
        let spans = story.spans.iter().map(|span| (parent(span), Node::Span(span)));
        let lines_below = lines.iter().map(|line| (Some(line.span.as_str()).filter(|span| is_known(span)), Node::Line(line)));
        let mut nodes: Vec<_> = spans.chain(lines_below).collect();
        nodes.sort_by_key(|(_, node)| node.time());
        let senders = story.spans.iter().map(|span| &span.sender).chain(lines.iter().map(|line| &line.sender));
        let senders = senders.map(|sender| sender.chars().count()).max().unwrap_or_default();
        Self { nodes, start: story.start(), length: story.duration(), senders }
    }

    fn draw(&self, text: &mut String) {
        for root in self.below(None) {
            self.draw_node(root, "", "", text);
        }
    }

    fn below(&self, parent: Option<&str>) -> impl Iterator<Item = Node<'a>> {
        self.nodes.iter().filter(move |(of, _)| *of == parent).map(|(_, node)| *node)
    }

    fn draw_node(&self, node: Node, branch: &str, indent: &str, text: &mut String) {
        let offset = duration_text(node.time().saturating_sub(self.start));
        let (duration, sender, label) = match node {
            Node::Span(span) => (duration_text(span.duration), &span.sender, span_label(span)),
            Node::Line(line) => (String::new(), &line.sender, line_label(line)),
        };
        let (bar, width) = (self.bar(node), self.senders);
        let _ = writeln!(text, "{offset:>9} {duration:>9}  {bar}  {sender:width$}  {branch}{label}");
        let Node::Span(span) = node else { return };
        let mut children = self.below(Some(&span.id)).peekable();
        while let Some(child) = children.next() {
            let (branch, more) = if children.peek().is_some() { ("├─ ", "│  ") } else { ("└─ ", "   ") };
            self.draw_node(child, &format!("{indent}{branch}"), &format!("{indent}{more}"), text);
        }
    }

    /// The time of a node on the axis of its trace.
    fn bar(&self, node: Node) -> String {
        let at = |time: Duration| {
            let share = time.saturating_sub(self.start).as_secs_f64() / self.length.as_secs_f64().max(f64::MIN_POSITIVE);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a column of the axis"
            )]
            let column = (share * AXIS as f64).round() as usize;
            column.min(AXIS)
        };
        let first = at(node.time()).min(AXIS - 1);
        let (mark, last) = match node {
            Node::Span(span) => ('█', at(span.end()).max(first + 1)),
            Node::Line(_) => ('•', first + 1),
        };
        (0..AXIS).map(|column| if (first..last).contains(&column) { mark } else { '·' }).collect()
    }
}

fn span_label(span: &Span) -> String {
    let mut label = span.name.clone();
    if span.kind != "internal" {
        let _ = write!(label, " ({})", span.kind);
    }
    if span.is_error {
        label += " ERROR";
    }
    let shown = SHOWN.iter().filter_map(|name| Some((name, span.attributes.get(*name)?)));
    for (name, value) in shown.take(ATTRIBUTES) {
        let _ = write!(label, "  {name}={value}");
    }
    label
}

fn line_label(line: &Line) -> String {
    let mut label = format!("{} {}", line.severity, line.body);
    for (name, value) in &line.attributes {
        let _ = write!(label, "  {name}={value}");
    }
    label
}

#[cfg(test)]
mod tests {
    use super::super::model::TraceId;
    use super::*;

    fn span(id: &str, parent: Option<&str>, name: &str, start: u64, milliseconds: u64) -> Span {
        Span {
            id: id.to_owned(),
            parent: parent.map(str::to_owned),
            name: name.to_owned(),
            kind: "internal".to_owned(),
            start: Duration::from_millis(start),
            duration: Duration::from_millis(milliseconds),
            is_error: false,
            attributes: [("db.system.name".to_owned(), "postgresql".to_owned())].into(),
            links: Vec::new(),
            sender: "backend-1".to_owned(),
        }
    }

    fn story(id: &str, spans: Vec<Span>) -> Story {
        Story { id: TraceId::parse(id).unwrap(), spans, lines: Ok(Vec::new()), causes: Vec::new(), caused: Vec::new() }
    }

    #[test]
    fn a_trace_is_a_tree_with_its_lines_and_the_traces_that_it_caused() {
        let request =
            Span { kind: "server".to_owned(), is_error: true, ..span("a", Some("of the browser"), "POST /api/projects", 1000, 100) };
        let spans = vec![request, span("b", Some("a"), "insert projects", 1025, 50), span("c", Some("a"), "set", 1080, 10)];
        let mut story = story("019f000000007000800000000000abcd", spans);
        story.lines = Ok(vec![Line {
            time: Duration::from_millis(1100),
            span: "a".to_owned(),
            severity: "WARN".to_owned(),
            body: "request slow".to_owned(),
            attributes: [("duration".to_owned(), "0.1".to_owned())].into(),
            sender: "backend-1".to_owned(),
        }]);
        let mut job = self::story("019f000000007000800000000000abce", vec![span("d", None, "job mail", 1500, 5)]);
        job.causes.push((story.id, None));
        story.caused.push(job);
        let expected = "\
trace 019f000000007000800000000000abcd  1970-01-01T00:00:01.000Z  3 spans in 100 ms
     0 µs    100 ms  ████████████████████████  backend-1  POST /api/projects (server) ERROR  db.system.name=postgresql
  25.0 ms   50.0 ms  ······████████████······  backend-1  ├─ insert projects  db.system.name=postgresql
  80.0 ms   10.0 ms  ···················███··  backend-1  ├─ set  db.system.name=postgresql
   100 ms            ·······················•  backend-1  └─ WARN request slow  duration=0.1

caused 500 ms after the beginning: job mail on backend-1, 5.00 ms
trace 019f000000007000800000000000abce  1970-01-01T00:00:01.500Z  1 span in 5.00 ms
caused by 019f000000007000800000000000abcd
     0 µs   5.00 ms  ████████████████████████  backend-1  job mail  db.system.name=postgresql
";
        assert_eq!(text(&story), expected);
    }
}
