//! The language check: phrases that `docs/STYLE.md` rules out, and misspellings, in documents, messages and comments.
//! `prose/patterns.rs` has the phrases, each with a reason and an example of a replacement.

mod patterns;
mod text;

use std::fs;

use anyhow::{Context, Result};
use devstack::paths;
use devstack::process::{capture, capture_ok, task};
use devstack::report::{Outcome, Report};
use devstack::tools::{CODESPELL, Tool};
use regex_lite::Regex;

use self::patterns::{PATTERNS, Pattern};

/// The programs that the check needs.
pub const PROGRAMS: [&Tool; 1] = [&CODESPELL];

/// Path prefixes of files that quote ruled-out phrases.
const EXEMPT: [&str; 2] = ["docs/STYLE.md", "crates/proofs/src/prose"];
/// Extensions of the files whose language is checked.
const CHECKED: [&str; 11] = ["html", "js", "md", "mjs", "rs", "sh", "tmpl", "toml", "ts", "yml", "yaml"];
/// Identifiers, and text that tests cut off on purpose.
const NOT_MISSPELLED: &str = "atleast,connectin,crosssite,get's,nam,sendin,te";

/// One phrase that was found.
#[derive(Debug, PartialEq, Eq)]
struct Finding<'a> {
    line: usize,
    why: &'static str,
    text: &'a str,
}

/// Adds the steps of the check to a report.
pub fn add(report: &mut Report) -> Result<()> {
    let files = files()?;
    report.step("phrases", || {
        let rules = compiled()?;
        let mut found = 0;
        for file in &files {
            let content = fs::read_to_string(paths::root().join(file)).with_context(|| file.clone())?;
            for Finding { line, why, text } in findings(&rules, file, &content) {
                eprintln!("{file}:{line}: {why}\n    {text}");
                found += 1;
            }
        }
        Ok(if found == 0 {
            Outcome::passed()
        } else {
            Outcome::failed(format!("{found} ruled-out phrases; crates/proofs/src/prose/patterns.rs says what to write instead"))
        })
    })?;
    report.step("spelling", || {
        let output =
            capture(task(CODESPELL.path()?).args(["--ignore-words-list", NOT_MISSPELLED]).args(&files).current_dir(paths::root()))?;
        eprint!("{}", output.text);
        Ok(output.success.into())
    })
}

fn compiled() -> Result<Vec<(Regex, &'static Pattern)>> {
    PATTERNS.iter().map(|pattern| Ok((Regex::new(pattern.phrase)?, pattern))).collect()
}

/// The tracked files to check, relative to the root of the repository.
fn files() -> Result<Vec<String>> {
    let listed = capture_ok(task("git").arg("ls-files").current_dir(paths::root()))?;
    let is_checked = |file: &&str| {
        file.rsplit_once('.').is_some_and(|(_, extension)| CHECKED.contains(&extension))
            && !EXEMPT.iter().any(|exempt| file.starts_with(exempt))
    };
    Ok(listed.lines().filter(is_checked).map(str::to_owned).collect())
}

fn findings<'a>(rules: &[(Regex, &'static Pattern)], file: &str, content: &'a str) -> Vec<Finding<'a>> {
    let mut found = Vec::new();
    for (line, text) in text::of(file, content) {
        let broken = rules.iter().filter(|(regex, _)| regex.is_match(text));
        found.extend(broken.map(|(_, pattern)| Finding { line, why: pattern.why, text: text.trim() }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_matches_its_example_and_no_pattern_matches_a_correction() {
        let rules = compiled().unwrap();
        for (regex, pattern) in &rules {
            assert!(regex.is_match(pattern.before), "{} does not catch: {}", pattern.phrase, pattern.before);
            for (other, by) in &rules {
                assert!(!other.is_match(pattern.after), "{} catches: {}", by.phrase, pattern.after);
            }
        }
    }

    #[test]
    fn a_phrase_is_found_in_comments_messages_and_documents_but_not_in_code() {
        let rules = compiled().unwrap();
        let lines = |file, content: &'static str| findings(&rules, file, content).iter().map(|found| found.line).collect::<Vec<_>>();
        assert_eq!(lines("a.rs", "let x = 1;\n/// Whoever asks.\nlet whoever = 2;\nbail!(\"for whoever asks\");\n"), [2, 4]);
        assert_eq!(lines("a.md", "Fine.\n```sh\necho whoever\n```\nWhoever reads this.\n"), [5]);
        assert_eq!(lines("a.yml", "summary: Whoever asks\n"), [1]);
    }
}
