//! Reads `equivalent.yml`, next to the folder of rules: the mutants that no test can detect, with the reason. `trial` fails if a listed
//! mutant does not exist or a test detects it, so the list stays up to date.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::rules::read;

/// Mutants that behave like their rules, all for the same reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The rule file, without `.yml`.
    file: String,
    /// The names of alerts or recorded series.
    rules: Vec<String>,
    /// The changes, as `cargo xtask rules --mutate` prints them. Each change is made to each of these rules.
    changes: Vec<String>,
    /// Why no test can detect these mutants.
    #[expect(dead_code, reason = "documentation for readers of the file")]
    because: String,
}

/// The equivalent mutants of one rule file, as pairs of a rule and a change.
pub fn of(prometheus: &Path, file: &str) -> Result<Vec<(String, String)>> {
    let entries: Vec<Entry> = read(&prometheus.join("equivalent.yml"))?;
    Ok(entries.iter().filter(|entry| entry.file == file).flat_map(pairs).collect())
}

fn pairs(entry: &Entry) -> impl Iterator<Item = (String, String)> {
    entry.rules.iter().flat_map(|rule| entry.changes.iter().map(|change| (rule.clone(), change.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_lists_every_change_for_every_rule() {
        let entry: Entry = serde_norway::from_str("{file: f, rules: [A, B], changes: [c, d], because: so}").unwrap();
        let expected = [("A", "c"), ("A", "d"), ("B", "c"), ("B", "d")].map(|(rule, change)| (rule.to_owned(), change.to_owned()));
        assert_eq!(pairs(&entry).collect::<Vec<_>>(), expected);
    }
}
