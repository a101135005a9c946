//! The mutants that no test can notice, with the reason: `equivalent.yml` next to the folder of rules. The list cannot become stale
//! unnoticed: every listed mutant must exist and must survive the tests.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::rules::read;

/// Mutants that behave as their rules do, all for one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The rule file, without `.yml`.
    file: String,
    /// Alerts or recorded series.
    rules: Vec<String>,
    /// The changes to each of them, as in the report of mutants.
    changes: Vec<String>,
    /// Why no test can notice them.
    #[expect(dead_code, reason = "for people")]
    because: String,
}

/// The equivalent mutants of one rule file, each by its rule and its change.
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
    fn an_entry_names_each_change_of_each_rule() {
        let entry: Entry = serde_norway::from_str("{file: f, rules: [A, B], changes: [c, d], because: so}").unwrap();
        let expected = [("A", "c"), ("A", "d"), ("B", "c"), ("B", "d")].map(|(rule, change)| (rule.to_owned(), change.to_owned()));
        assert_eq!(pairs(&entry).collect::<Vec<_>>(), expected);
    }
}
