//! The links of documents, and the files that guides name: each must exist, with its heading.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::files::{files, root, text};

/// Documents whose code names files of the checkout.
const GUIDES: [&str; 5] = ["docs/API.md", "docs/DEVELOPMENT.md", "docs/FAQ.md", "docs/SECURITY.md", "CONTRIBUTING.md"];
/// The folders with which the path of a file in a guide begins.
const FOLDERS: [&str; 12] =
    ["src", "tests", "crates", "xtask", "monitoring", "docs", "deploy", "web", "templates", "migrations", "load", "platforms"];

/// The code in a Markdown text: what is between two backticks in one line.
pub fn code(markdown: &str) -> Vec<String> {
    let lines = without_blocks(markdown);
    lines.iter().flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The lines outside fenced blocks.
fn without_blocks(markdown: &str) -> Vec<&str> {
    let mut is_block = false;
    let is_text = |line: &&str| {
        let is_fence = line.starts_with("```");
        is_block ^= is_fence;
        !is_block && !is_fence
    };
    markdown.lines().filter(is_text).collect()
}

/// The fragment by which GitHub links to a heading.
fn fragment(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

/// The fragments of a document's headings.
fn fragments(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let headings =
        without_blocks(&text).into_iter().filter_map(|line| Some(line.trim_start_matches('#')).filter(|rest| rest.len() < line.len()));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let unique = |heading: &str| {
        let fragment = fragment(heading.trim());
        let count = seen.entry(fragment.clone()).or_default();
        *count += 1;
        if *count == 1 { fragment } else { format!("{fragment}-{}", *count - 1) }
    };
    headings.map(unique).collect()
}

fn documents() -> Vec<PathBuf> {
    let of_root = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(|name| root().join(name));
    ["docs", "docs/adr"].iter().flat_map(|folder| files(folder, "md")).chain(of_root).collect()
}

#[test]
fn every_link_of_a_document_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let text = without_blocks(&text).join("\n");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            let is_there = target.exists() && (heading.is_empty() || fragments(&target).iter().any(|known| known == heading));
            if !is_there {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_file_that_a_guide_names_exists() {
    let mut missing = Vec::new();
    for guide in GUIDES {
        for named in code(&text(guide)) {
            let path = named.split_once(": ").map_or(named.as_str(), |(path, _)| path);
            let is_path = path.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder)) && !path.contains(['<', '*', '{', ' ']);
            if is_path && !root().join(path).exists() {
                missing.push(format!("{guide}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn headings_are_linked_as_on_github() {
    assert_eq!(fragment("Two requests, step by step"), "two-requests-step-by-step");
    assert_eq!(fragment("The operator's page"), "the-operators-page");
    assert_eq!(fragment("Why `sqlx` and not an ORM?"), "why-sqlx-and-not-an-orm");
}
