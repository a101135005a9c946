//! The fate of each command and block: it is run, it is checked without being run, or it is listed here with a reason.
//! Drawings need no reason.

use super::documents::{Form, Snippet, is_query};

/// The expected behaviour of a block that is run as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It succeeds, and its output contains this text.
    Prints(&'static str),
    /// It keeps running: it prints the first text once it has started, and the second once the following block has run.
    GoesOn(&'static str, &'static str),
}

/// The blocks that are run as a whole: the document, the beginning of the block, and its expected behaviour.
const BLOCKS: [(&str, &str, Run); 10] = [
    ("README.md", "export api=", Run::Prints("\"Analytical Engine\"")),
    ("README.md", "import { io }", Run::GoesOn("{}", "change: 'updated'")),
    ("README.md", "curl -s -X PATCH", Run::Prints("\"algebraic patterns\"")),
    ("docs/API.md", "export api=", Run::Prints("\"radia@example.com\"")),
    ("docs/API.md", "export key=", Run::Prints("the same project")),
    ("docs/API.md", "curl -s --etag-save", Run::Prints("304")),
    ("docs/API.md", "curl -s \"$api/projects?limit=1\"", Run::Prints("page 2")),
    ("docs/API.md", "import { randomUUID }", Run::Prints("precondition_failed")),
    ("docs/API.md", "import json", Run::Prints("precondition_failed")),
    ("docs/REALTIME.md", "import { io }", Run::Prints("server_at")),
];

/// The commands that are not run and of which only the shell syntax is checked: the beginning of each, and the reason.
pub const LISTED: [(&str, &str); 22] = [
    ("cargo fmt ", "a step of `cargo xtask ci`"),
    ("cargo clippy ", "a step of `cargo xtask ci`"),
    ("cargo build", "every proof builds the service"),
    ("cargo nextest ", "`cargo xtask test` runs it"),
    ("curl --cacert", "the option of a command, not a command"),
    ("curl -X PUT http://localhost:8080/api/faults/", "needs FAULTS and an admin; the drills send the same request"),
    ("curl -X PUT http://localhost:8080/api/log-levels", "needs an admin; tests/api/log_levels.rs sends the same request"),
    ("curl -sv --insecure --resolve edge.localhost", "responds with 404 on purpose; the probe `tls` reads the same certificate"),
    ("docker stats ", "needs an engine with the containers of Compose"),
    ("docker system df ", "needs an engine"),
    ("node build.mjs", "every proof builds the bundle"),
    ("npm ci", "`--install` runs it"),
    ("npm install ", "`--install` has installed the library"),
    ("ssh -L ", "the option of a command, not a command"),
    ("sysctl ", "a setting of the machine"),
    ("vitrine config", "tests/api/config.rs runs it"),
    ("vitrine seed", "tests/api/demo.rs runs it"),
    ("new=$(openssl ", "its result is used by a command of Compose"),
    ("edit '", "calls a function of its block, which needs Compose"),
    ("write_secret ", "calls a function of its block, which needs Compose"),
    ("amtool silence ", "calls a function of its block, which needs Compose"),
    ("{service_name=\"vitrine\"}", "a query of Loki, which only Compose runs"),
];

/// The queries that a new stack cannot answer: the beginning of each, and the reason. They are run, but may return nothing; their answer
/// ends with `after …`.
const LATE: [(&str, &str); 2] = [
    ("sum(rate(http_requests_total{job=\"backend\"}[5m])) / sum(", "compares with an hour ago; no proof runs for so long"),
    ("sum(route:http_requests:rate5m) / (sum(", "compares with a week ago"),
];

/// What happens to a command or a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A block that is run as a whole.
    Block(Run),
    /// A command that is run on its own.
    Request,
    /// SQL, run by Postgres.
    Sql,
    /// `PromQL`, run by Prometheus.
    Query,
    /// A verb of xtask with its options, parsed as xtask parses them.
    Xtask,
    /// A command of Compose: it needs an engine, so only the names of its services are checked.
    Compose,
    /// Variables of `.env`, which must be in `.env.example`.
    Settings,
    /// An excerpt that must occur in the source of its language.
    Quote,
    /// JSON, TOML or YAML, which must parse.
    Data,
    /// A drawing.
    Drawing,
    /// A command in [`LISTED`], with its index there.
    Listed(usize),
}

impl Fate {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block(_) | Self::Request | Self::Sql | Self::Query => "run",
            Self::Xtask | Self::Compose | Self::Settings | Self::Quote | Self::Data => "checked",
            Self::Drawing => "drawings",
            Self::Listed(_) => "listed with a reason",
        }
    }
}

/// The parts of a snippet, each with its own fate: its commands, or the whole block.
pub fn parts(snippet: &Snippet) -> Vec<String> {
    if matches!(&snippet.form, Form::Fenced(language) if language != "sh") || whole(snippet).is_some() {
        return vec![snippet.text.clone()];
    }
    commands(&snippet.text)
}

/// The fate of a part of a snippet; `None` means that the document or a list above must be corrected.
pub fn of(snippet: &Snippet, part: &str) -> Option<Fate> {
    if let Some(fate) = whole(snippet) {
        return Some(fate);
    }
    let listed = LISTED.iter().position(|(beginning, _)| part.starts_with(beginning)).map(Fate::Listed);
    let first_line = part.lines().next().unwrap_or_default();
    if part.contains("cargo xtask") {
        Some(Fate::Xtask)
    } else if part.contains("docker compose") {
        Some(Fate::Compose)
    } else if listed.is_some() {
        listed
    } else if part.starts_with("curl ") {
        Some(Fate::Request)
    } else if is_query(part) {
        Some(Fate::Query)
    } else if part.starts_with("SELECT ") {
        Some(Fate::Sql)
    } else if is_setting(first_line) {
        Some(Fate::Settings)
    } else {
        None
    }
}

/// The fate of a block as a whole; `None` if its commands have fates of their own, or if the block is unknown.
fn whole(snippet: &Snippet) -> Option<Fate> {
    let block = BLOCKS.iter().find(|(document, beginning, _)| *document == snippet.document && snippet.text.starts_with(beginning));
    match (&snippet.form, block) {
        (_, Some((_, _, run))) => Some(Fate::Block(*run)),
        (Form::Fenced(language), None) => match language.as_str() {
            "" => Some(Fate::Drawing).filter(|_| snippet.text.contains('▶')),
            "json" | "toml" | "yaml" => Some(Fate::Data),
            "promql" => Some(Fate::Query),
            "rust" | "ts" => Some(Fate::Quote),
            _ => None,
        },
        // An indented block is YAML if its first line is a key without a value. Otherwise its parts have fates of their own.
        (Form::Indented, None) => snippet.text.lines().next().filter(|line| line.ends_with(':') && !line.contains(' ')).map(|_| Fate::Data),
        (Form::Inline, None) => None,
    }
}

/// Whether a new stack cannot answer a query.
pub fn is_late(query: &str) -> bool {
    LATE.iter().any(|(beginning, _)| query.starts_with(beginning))
}

/// `NAME=value`, as in `.env`.
pub fn is_setting(line: &str) -> bool {
    line.split_once('=').is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

/// The commands of a shell block. A loop, or a line with its continuation lines, is one command. Comments are left out.
fn commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        match commands.last_mut().filter(|_| is_open) {
            Some(command) => {
                command.push('\n');
                command.push_str(line);
            }
            None => commands.push(line.to_owned()),
        }
        let command = commands.last().map(String::as_str).unwrap_or_default();
        let is_loop = command.starts_with("for ") && !command.trim_end().ends_with("done");
        is_open = command.ends_with('\\') || is_loop;
    }
    commands.retain(|command| !command.trim().is_empty() && !command.starts_with('#'));
    commands
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::documents::snippets;
    use super::*;

    fn fates() -> Vec<(String, Option<Fate>)> {
        let snippets = snippets().unwrap();
        let of = |snippet: &Snippet| parts(snippet).into_iter().map(|part| (snippet.name(), of(snippet, &part))).collect::<Vec<_>>();
        snippets.iter().flat_map(of).collect()
    }

    #[test]
    fn every_snippet_of_the_documents_has_a_fate() {
        let missing: Vec<String> = fates().into_iter().filter(|(_, fate)| fate.is_none()).map(|(name, _)| name).collect();
        assert!(missing.is_empty(), "neither run, checked nor listed:\n{}", missing.join("\n"));
    }

    #[test]
    fn every_reason_and_every_block_applies_to_a_snippet() {
        let fates = fates();
        let used: BTreeSet<usize> =
            fates.iter().filter_map(|(_, fate)| if let Some(Fate::Listed(index)) = fate { Some(*index) } else { None }).collect();
        let stale: Vec<&str> = (0..LISTED.len()).filter(|index| !used.contains(index)).map(|index| LISTED[index].0).collect();
        assert!(stale.is_empty(), "no snippet begins with: {}", stale.join(", "));
        assert_eq!(fates.iter().filter(|(_, fate)| matches!(fate, Some(Fate::Block(_)))).count(), BLOCKS.len());
    }

    #[test]
    fn every_late_query_is_used() {
        let snippets = snippets().unwrap();
        let is_asked = |beginning: &&str| snippets.iter().any(|snippet| snippet.text.starts_with(*beginning));
        let stale: Vec<&str> = LATE.iter().map(|(beginning, _)| *beginning).filter(|beginning| !is_asked(beginning)).collect();
        assert!(stale.is_empty(), "no query begins with: {}", stale.join(", "));
    }

    #[test]
    fn an_unknown_snippet_has_no_fate() {
        let snippet = |form: Form, text: &str| Snippet { document: "docs/NEW.md".to_owned(), line: 1, form, text: text.to_owned() };
        let fenced = |language: &str, text: &str| snippet(Form::Fenced(language.to_owned()), text);
        let fate = |snippet: &Snippet| of(snippet, &parts(snippet)[0]);
        assert_eq!(fate(&fenced("js", "import { io }")), None);
        assert_eq!(fate(&fenced("", "no drawing")), None);
        assert_eq!(fate(&snippet(Form::Indented, "rm -rf /\n")), None);
        assert_eq!(fate(&snippet(Form::Indented, "curl localhost:4100/counts\n")), Some(Fate::Request));
        assert_eq!(fate(&fenced("json", "{}")), Some(Fate::Data));
    }

    #[test]
    fn a_command_may_have_several_lines() {
        let text = "curl a \\\n  -d b\nfor n in 1 2; do\n    docker compose up \"$n\"\ndone\n# a comment\nfor n in 1; do x; done\n";
        assert_eq!(commands(text), ["curl a \\\n  -d b", "for n in 1 2; do\n    docker compose up \"$n\"\ndone", "for n in 1; do x; done"]);
    }
}
