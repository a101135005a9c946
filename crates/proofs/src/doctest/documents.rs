//! Reads the snippets of Markdown: fenced blocks, indented blocks, and commands and queries in the text.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use devstack::paths;
use regex_lite::Regex;

static RANGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[\d+[smhdw]\]").expect("the expression is valid"));
/// Code in a sentence is a command if it begins with one of these programs and has an argument.
const PROGRAMS: [&str; 10] = ["cargo", "docker", "curl", "npm", "node", "ssh", "sysctl", "eval", "vitrine", "promtool"];

/// The Markdown around a snippet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A fenced block, with its language.
    Fenced(String),
    /// A block that is indented by four spaces.
    Indented,
    /// Code in a sentence.
    Inline,
}

/// A piece of a document that readers copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The path of the document.
    pub document: String,
    /// The number of its first line; for a request of a runbook, the number of the first line of its block.
    pub line: usize,
    pub form: Form,
    /// Its text, exactly as readers copy it.
    pub text: String,
}

impl Snippet {
    /// Its place and its first line, for messages.
    pub fn name(&self) -> String {
        format!("{}:{}: {}", self.document, self.line, self.text.lines().next().unwrap_or_default())
    }
}

/// The snippets of README.md, CONTRIBUTING.md and docs/, in order.
pub fn snippets() -> Result<Vec<Snippet>> {
    let mut documents = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    documents.extend(files("docs")?);
    documents.extend(files("docs/adr")?);
    let mut snippets = Vec::new();
    for document in documents {
        snippets.extend(read(&document, &text(&document)?));
    }
    Ok(snippets)
}

/// The lines of runbooks that send a request to a running stack with `curl` and do not depend on other lines.
pub fn requests_of_runbooks() -> Result<Vec<Snippet>> {
    let mut requests = Vec::new();
    for document in files("monitoring/runbooks")? {
        let blocks = read(&document, &text(&document)?).into_iter().filter(|snippet| snippet.form == Form::Indented);
        for block in blocks {
            let lines = block.text.lines().filter(|line| line.starts_with("curl ") && !line.ends_with('\\') && !line.contains("$TOKEN"));
            requests.extend(lines.map(|line| Snippet { text: line.to_owned(), ..block.clone() }));
        }
    }
    Ok(requests)
}

fn files(folder: &str) -> Result<Vec<String>> {
    let entries = fs::read_dir(paths::root().join(folder)).with_context(|| format!("failed to read {folder}"))?;
    let paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    let markdown = paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let mut names: Vec<String> = markdown.filter_map(|path| Some(format!("{folder}/{}", path.file_name()?.to_str()?))).collect();
    names.sort();
    Ok(names)
}

/// The text of a document.
pub fn text(document: &str) -> Result<String> {
    fs::read_to_string(paths::root().join(document)).with_context(|| format!("failed to read {document}"))
}

fn read(document: &str, markdown: &str) -> Vec<Snippet> {
    let mut reader = Reader { document: document.to_owned(), snippets: Vec::new(), open: None };
    for (index, line) in markdown.lines().enumerate() {
        reader.line(index + 1, line);
    }
    reader.close();
    let mut snippets = reader.snippets;
    snippets.sort_by_key(|snippet| snippet.line);
    snippets
}

/// The state between two lines of a document.
struct Reader {
    document: String,
    snippets: Vec<Snippet>,
    /// The block or the paragraph that the next line continues.
    open: Option<Snippet>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        let form = self.open.as_ref().map(|open| open.form.clone());
        match (form, line.strip_prefix("```"), line.strip_prefix("    ")) {
            (Some(Form::Fenced(_)), Some(_), _) => self.close(),
            (Some(Form::Fenced(_)), None, _) => self.add(line),
            (_, Some(language), _) => {
                self.close();
                self.begin(number + 1, Form::Fenced(language.trim().to_owned()));
            }
            (Some(Form::Indented), None, Some(code)) => self.add(code),
            (None, None, Some(code)) => {
                self.begin(number, Form::Indented);
                self.add(code);
            }
            (_, None, None) if line.trim().is_empty() => self.close(),
            (Some(Form::Inline), None, _) => self.add(line),
            (_, None, _) => {
                self.close();
                self.begin(number, Form::Inline);
                self.add(line);
            }
        }
    }

    fn begin(&mut self, line: usize, form: Form) {
        self.open = Some(Snippet { document: self.document.clone(), line, form, text: String::new() });
    }

    fn add(&mut self, line: &str) {
        if let Some(open) = &mut self.open {
            open.text.push_str(line);
            open.text.push('\n');
        }
    }

    /// Ends the open block or paragraph. Keeps a whole block, but only the commands and queries of a paragraph.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.form != Form::Inline {
            self.snippets.push(open);
            return;
        }
        let mut line = open.line;
        for (index, part) in open.text.split('`').enumerate() {
            let code = part.replace('\n', " ");
            let is_command = code.split_once(' ').is_some_and(|(program, _)| PROGRAMS.contains(&program));
            if index % 2 == 1 && (is_command || is_query(&code)) {
                self.snippets.push(Snippet { line, text: code, ..open.clone() });
            }
            line += part.matches('\n').count();
        }
    }
}

/// Whether a text is `PromQL` with a range, such as `rate(x[5m])`.
pub fn is_query(text: &str) -> bool {
    RANGE.is_match(text) && text.contains('(') && !text.contains('…')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_are_read_exactly_as_written() {
        let markdown = "Run `cargo xtask\nup` or `ls`, not `docker`.\n\n    curl -s x \\\n      -d y\n    curl z\n\n```sh\na b\n\n    c\n```\n| `cargo fmt` | x |\n";
        let snippets = read("a.md", markdown);
        let found: Vec<(usize, &Form, &str)> =
            snippets.iter().map(|snippet| (snippet.line, &snippet.form, snippet.text.as_str())).collect();
        let sh = Form::Fenced("sh".to_owned());
        let expected = [
            (1, &Form::Inline, "cargo xtask up"),
            (4, &Form::Indented, "curl -s x \\\n  -d y\ncurl z\n"),
            (9, &sh, "a b\n\n    c\n"),
            (13, &Form::Inline, "cargo fmt"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_documents_have_snippets_of_every_form() {
        let snippets = snippets().unwrap();
        assert!(snippets.iter().any(|snippet| snippet.form == Form::Inline && snippet.document == "README.md"));
        assert!(snippets.iter().any(|snippet| snippet.form == Form::Indented && snippet.document == "docs/OPERATIONS.md"));
        assert!(snippets.iter().any(|snippet| snippet.form == Form::Fenced("js".to_owned())));
        assert!(!requests_of_runbooks().unwrap().is_empty());
    }
}
