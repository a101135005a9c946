//! The report of a proof: a table with a row for each step, and a last line with the totals. It is printed, and also written to files in
//! `target/proofs/`. The proof itself belongs to the verb.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use crate::paths;
use crate::process::check_interrupt;

/// The result of a step; most steps are one check, a test run is many.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Number of checks that passed.
    pub passed: u64,
    /// Number of checks that failed.
    pub failed: u64,
    /// Number of checks that this machine cannot run and that are optional here.
    pub skipped: u64,
    /// The reason for a failure, the skipped part, or a figure worth printing.
    pub note: String,
}

impl Outcome {
    /// One passed check.
    #[must_use]
    pub fn passed() -> Self {
        Self::from(true)
    }

    /// One failed check, with the reason.
    pub fn failed(why: impl Into<String>) -> Self {
        Self { failed: 1, note: why.into(), ..Self::default() }
    }

    /// The result of a step that may have ended with an error, which counts as a failed check and is printed.
    #[must_use]
    pub fn of(result: Result<Self>) -> Self {
        result.unwrap_or_else(|error| {
            let text = format!("{error:#}");
            eprintln!("{text}");
            Self::failed(text.lines().next().unwrap_or_default())
        })
    }

    /// A skipped step, with the reason. Only a skipped step may have no checks.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self { skipped: 1, note: why.into(), ..Self::default() }
    }

    /// Parses the last line of a program's output, such as `3 passed, 0 failed` or `0 passed, 0 failed, 1 skipped`.
    #[must_use]
    pub fn from_summary(text: &str) -> Option<Self> {
        let line = text.trim_end().lines().next_back()?;
        let count = |word: &str| -> Option<u64> {
            let part = line.split(", ").find(|part| part.ends_with(word))?;
            part.split(' ').next()?.parse().ok()
        };
        let skipped = count(" skipped").unwrap_or_default();
        let note = if skipped > 0 { format!("{skipped} SKIPPED") } else { String::new() };
        Some(Self { passed: count(" passed")?, failed: count(" failed")?, skipped, note })
    }

    /// A step without checks has proved nothing: it counts as failed, unless it was skipped.
    fn judged(self) -> Self {
        match self {
            Self { passed: 0, failed: 0, skipped: 0, note } if note.is_empty() => Self::failed("nothing was checked"),
            Self { passed: 0, failed: 0, skipped: 0, note } => Self::failed(format!("nothing was checked: {note}")),
            judged => judged,
        }
    }

    /// Sets the note.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

impl From<bool> for Outcome {
    fn from(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed), ..Self::default() }
    }
}

struct Row {
    name: String,
    outcome: Outcome,
    seconds: f64,
}

/// The report of one verb.
pub struct Report {
    verb: &'static str,
    rows: Vec<Row>,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(verb: &'static str) -> Self {
        Self { verb, rows: Vec::new() }
    }

    /// Runs a step and adds its row. An error counts as a failed check, so that later steps still run; only an interrupt ends the report.
    pub fn step(&mut self, name: impl Into<String>, step: impl FnOnce() -> Result<Outcome>) -> Result<()> {
        let name = name.into();
        eprintln!("--- {name}");
        let start = Instant::now();
        let outcome = Outcome::of(step());
        check_interrupt()?;
        self.add(name, start.elapsed(), outcome);
        Ok(())
    }

    /// As [`Self::step`], for a step that returns a value for later steps. Returns `None` if the step returned an error.
    pub fn obtain<T>(&mut self, name: impl Into<String>, step: impl FnOnce() -> Result<(T, Outcome)>) -> Result<Option<T>> {
        let mut obtained = None;
        self.step(name, || {
            let (value, outcome) = step()?;
            obtained = Some(value);
            Ok(outcome)
        })?;
        Ok(obtained)
    }

    /// Adds the row of a step that ran elsewhere.
    pub fn add(&mut self, name: impl Into<String>, took: Duration, outcome: Outcome) {
        self.rows.push(Row { name: name.into(), outcome: outcome.judged(), seconds: took.as_secs_f64() });
    }

    fn totals(&self) -> (u64, u64) {
        self.rows.iter().fold((0, 0), |(passed, failed), row| (passed + row.outcome.passed, failed + row.outcome.failed))
    }

    /// The last line.
    fn summary(&self) -> String {
        let (passed, failed) = self.totals();
        format!("{passed} passed, {failed} failed")
    }

    fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.len()).max();
        let width = width.unwrap_or_default();
        self.rows.iter().fold(String::new(), |mut text, row| {
            let Outcome { passed, failed, note, .. } = &row.outcome;
            let verdict = match (passed, failed) {
                (0, 0) => "-",
                (_, 0) => "ok",
                _ => "FAILED",
            };
            let line = format!("{:width$}  {verdict:6}  {passed:>5} passed {failed:>3} failed {:>7.1} s  {note}", row.name, row.seconds);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", line.trim_end());
            text
        })
    }

    fn markdown(&self) -> String {
        let mut text =
            format!("# cargo xtask {}\n\n| step | passed | failed | seconds | note |\n| --- | --- | --- | --- | --- |\n", self.verb);
        for row in &self.rows {
            let Outcome { passed, failed, note, .. } = &row.outcome;
            let note = note.replace('|', "\\|");
            let _ = writeln!(text, "| {} | {passed} | {failed} | {:.1} | {note} |", row.name, row.seconds);
        }
        let _ = writeln!(text, "\n{}", self.summary());
        text
    }

    fn json(&self) -> serde_json::Value {
        let (passed, failed) = self.totals();
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "name": row.name,
                    "passed": row.outcome.passed,
                    "failed": row.outcome.failed,
                    "skipped": row.outcome.skipped,
                    "seconds": row.seconds,
                    "note": row.outcome.note,
                })
            })
            .collect();
        json!({ "verb": self.verb, "passed": passed, "failed": failed, "rows": rows })
    }

    /// Writes the files, prints the table and the last line; returns whether at least one check passed and none failed.
    pub fn finish(&self) -> Result<bool> {
        let folder = paths::proofs();
        paths::ensure(&folder)?;
        let write = |kind: &str, text: String| {
            let path = folder.join(format!("{}.{kind}", self.verb));
            fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
        };
        write("json", format!("{:#}\n", self.json()))?;
        write("md", self.markdown())?;
        print!("\n{}", self.table());
        println!("{}", self.summary());
        let (passed, failed) = self.totals();
        // A proof that checked nothing has proved nothing.
        Ok(failed == 0 && passed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    fn sample() -> Report {
        let mut report = Report::new("sample");
        let tests = Outcome { passed: 12, failed: 1, note: "a | b".to_owned(), ..Outcome::default() };
        report.step("tests", || Ok(tests)).unwrap();
        report.step("format", || Ok(Outcome::passed())).unwrap();
        report.step("broken", || bail!("no luck\nat all")).unwrap();
        report
    }

    #[test]
    fn the_last_line_sums_up_all_steps() {
        assert_eq!(sample().summary(), "13 passed, 2 failed");
    }

    #[test]
    fn an_error_is_a_failed_row_with_its_first_line() {
        let report = sample();
        let row = report.table().lines().nth(2).unwrap().to_owned();
        assert!(row.starts_with("broken  FAILED"), "{row}");
        assert!(row.ends_with("no luck"), "{row}");
    }

    #[test]
    fn a_step_without_a_check_fails_unless_it_was_skipped() {
        let mut report = Report::new("empty");
        report.step("nothing", || Ok(Outcome::default())).unwrap();
        report.step("a word", || Ok(Outcome::default().with_note("of nothing"))).unwrap();
        report.step("a program", || Ok(Outcome::from_summary("0 passed, 0 failed").unwrap())).unwrap();
        assert_eq!(report.summary(), "0 passed, 3 failed");
        let second = report.table().lines().nth(1).unwrap().to_owned();
        assert!(second.ends_with("nothing was checked: of nothing"), "{second}");

        let mut report = Report::new("skipped");
        report.step("skipped", || Ok(Outcome::skipped("no engine here"))).unwrap();
        report.step("a program", || Ok(Outcome::from_summary("0 passed, 0 failed, 1 skipped").unwrap())).unwrap();
        assert_eq!(report.summary(), "0 passed, 0 failed");
    }

    #[test]
    fn a_summary_is_read_from_the_last_line() {
        let outcome = |passed, failed, skipped, note: &str| Some(Outcome { passed, failed, skipped, note: note.to_owned() });
        assert_eq!(Outcome::from_summary("7 passed\n12 passed, 1 failed\n"), outcome(12, 1, 0, ""));
        assert_eq!(Outcome::from_summary("0 passed, 0 failed, 1 skipped"), outcome(0, 0, 1, "1 SKIPPED"));
        assert_eq!(Outcome::from_summary("killed"), None);
    }

    #[test]
    fn a_note_cannot_break_the_markdown_table() {
        let text = sample().markdown();
        assert!(text.contains("| tests | 12 | 1 | 0.0 | a \\| b |"), "{text}");
    }

    #[test]
    fn json_carries_every_row() {
        let value = sample().json();
        assert_eq!(value["failed"], 2);
        assert_eq!(value["rows"].as_array().unwrap().len(), 3);
        assert_eq!(value["rows"][0]["passed"], 12);
    }
}
