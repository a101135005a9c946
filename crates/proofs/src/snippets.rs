//! The commands and programs that the documents show, read from the Markdown itself, so that the proof covers exactly what a reader copies.
//! `smoke/snippets` runs them against a stack.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use devstack::paths;

/// The proof of a fenced block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It finishes and prints this.
    Prints(&'static str),
    /// It keeps running: it prints the first text once it has started, and the second once the following block has run.
    GoesOn(&'static str, &'static str),
    /// Another step of `cargo xtask ci` runs it.
    Elsewhere,
}

/// A block that can be run.
#[derive(Debug)]
pub struct Block {
    /// `sh`, `bash` or `js`.
    pub language: String,
    /// The block's contents.
    pub text: String,
    pub proof: Proof,
}

/// The documents whose fenced blocks are run, with the beginning of each block. A block that is not listed fails the check.
const PROOFS: [(&str, &[(&str, Proof)]); 5] = [
    (
        "README.md",
        &[
            ("docker compose up --build --wait", Proof::Elsewhere),
            ("cargo xtask up --install", Proof::Elsewhere),
            ("export api=", Proof::Prints("\"Analytical Engine\"")),
            ("import { io }", Proof::GoesOn("{}", "change: 'updated'")),
            ("curl -s -X PATCH", Proof::Prints("\"algebraic patterns\"")),
            ("cargo xtask test --install", Proof::Elsewhere),
        ],
    ),
    ("docs/REALTIME.md", &[("import { io }", Proof::Prints("server_at"))]),
    ("docs/ARCHITECTURE.md", &[]),
    ("docs/MONITORING.md", &[]),
    ("docs/OPERATIONS.md", &[]),
];

/// The blocks of each listed document, in order.
pub fn blocks() -> Result<Vec<(&'static str, Vec<Block>)>> {
    PROOFS.iter().map(|(document, proofs)| Ok((*document, proved(document, &read(document)?, proofs)?))).collect()
}

fn read(document: &str) -> Result<String> {
    fs::read_to_string(paths::root().join(document)).with_context(|| format!("failed to read {document}"))
}

fn proved(document: &str, markdown: &str, proofs: &[(&str, Proof)]) -> Result<Vec<Block>> {
    let fenced = fenced(markdown);
    ensure!(
        fenced.len() == proofs.len(),
        "{document} has {} blocks of sh and js, {} are listed in crates/proofs/src/snippets.rs",
        fenced.len(),
        proofs.len()
    );
    let blocks = fenced.into_iter().zip(proofs).map(|((language, text), (start, proof))| {
        ensure!(
            text.starts_with(start),
            "{document}: no block begins with `{start}` at the position listed in crates/proofs/src/snippets.rs"
        );
        Ok(Block { language, text, proof: *proof })
    });
    blocks.collect()
}

/// The fenced blocks in a language that can be run, with the language.
fn fenced(markdown: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in markdown.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take().filter(|(language, _)| ["sh", "bash", "js"].contains(&&**language))),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The lines of documents and runbooks that send a request to a running stack with `curl` and do not depend on their context.
pub fn requests() -> Result<Vec<(PathBuf, String)>> {
    let mut requests = Vec::new();
    for folder in ["docs", "monitoring/runbooks"] {
        let mut files: Vec<PathBuf> = fs::read_dir(paths::root().join(folder))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.sort();
        for file in files.into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "md")) {
            let text = fs::read_to_string(&file)?;
            let name = file.strip_prefix(paths::root()).map_or_else(|_| file.clone(), Path::to_path_buf);
            requests.extend(indented(&text).map(|line| (name.clone(), line.to_owned())));
        }
    }
    Ok(requests)
}

fn indented(markdown: &str) -> impl Iterator<Item = &str> {
    let lines = markdown.lines().filter(|line| line.starts_with("    ")).map(str::trim);
    lines.filter(|line| line.starts_with("curl ") && !line.ends_with('\\') && !line.contains("$TOKEN"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_the_documents_is_known() {
        let blocks = blocks().unwrap();
        assert!(blocks.iter().map(|(_, blocks)| blocks.len()).sum::<usize>() > 5);
    }

    #[test]
    fn every_document_is_checked() {
        let fences = |name: &str| !fenced(&read(name).unwrap()).is_empty();
        let found = fs::read_dir(paths::root().join("docs")).unwrap().map(|entry| format!("docs/{}", entry.unwrap().file_name().display()));
        for name in found.filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "md")) {
            assert!(PROOFS.iter().any(|(known, _)| *known == name) || !fences(&name), "{name}");
        }
    }

    #[test]
    fn blocks_run_exactly_as_written() {
        let markdown =
            "text\n```sh\na b\n\nc\n```\n```toml\n[x]\n```\n    curl -s x\n    curl y \\\n    curl -H \"$TOKEN\"\n```js\nd\n```\n";
        let languages = [("sh", "a b\n\nc\n"), ("js", "d\n")].map(|(language, text)| (language.to_owned(), text.to_owned()));
        assert_eq!(fenced(markdown), languages);
        assert_eq!(indented(markdown).collect::<Vec<_>>(), ["curl -s x"]);
        let other = proved("x.md", markdown, &[("a b", Proof::Elsewhere)]).unwrap_err();
        assert!(other.to_string().contains("2 blocks"), "{other}");
        let other = proved("x.md", markdown, &[("a b", Proof::Elsewhere), ("e", Proof::Elsewhere)]).unwrap_err();
        assert!(other.to_string().contains("`e`"), "{other}");
    }
}
