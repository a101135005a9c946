//! The tables of docs/PERFORMANCE.md: ratios only, since absolute figures depend on the machine. The text around the tables is written by
//! hand.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use devstack::paths;

use super::cases::Case;
use super::goals::Goal;
use super::results::{Results, Size};
use super::target::Name;
use crate::machine;

/// The conditions of a run.
pub struct Conditions {
    /// Number of rounds.
    pub rounds: u32,
    /// Duration of one measurement of a case, in seconds.
    pub seconds: u32,
    /// Number of cores for the load and the stores.
    pub load_cores: usize,
}

/// The generated part: the goals and all ratios.
pub fn tables(conditions: &Conditions, results: &Results, goals: &[Goal]) -> String {
    let Conditions { rounds, seconds, load_cores } = conditions;
    let load = if *load_cores == 1 { "another".to_owned() } else { format!("{load_cores} others") };
    let mut text = format!(
        "Measured on {}: the server on one core, the load and the stores on {load}; medians of {rounds} rounds in which the \
         targets alternate, {seconds} s for each case.\n\n| Vitrine's figure ÷ | ratio | at most | |\n| --- | --: | --: | --- |\n",
        machine::processor()
    );
    // Writing to a String cannot fail.
    for goal in goals {
        let _ = writeln!(text, "| {} | {:.2} | {:.2} | {} |", goal.what, goal.ratio, goal.limit, goal.verdict());
    }
    text.push_str(&ratios(results));
    text
}

fn ratios(results: &Results) -> String {
    let others = [Name::Fastify, Name::PlainAxum, Name::BareAxum, Name::Baseline];
    let others: Vec<Name> = others.into_iter().filter(|name| results.size(*name, Size::IdleMemory).is_some()).collect();
    let mut text = String::from("\nVitrine's figures ÷ those of each other service; for requests, CPU per request · p99:\n\n| |");
    for name in &others {
        let _ = write!(text, " ÷ {name} |");
    }
    let _ = writeln!(text, "\n| --- |{}", " --: |".repeat(others.len()));
    let mut row = |what: &str, cell: &dyn Fn(Name) -> String| {
        let cells: Vec<String> = others.iter().map(|name| cell(*name)).collect();
        let _ = writeln!(text, "| {what} | {} |", cells.join(" | "));
    };
    let shown = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    for case in Case::ALL {
        row(case.name(), &|name| {
            let (cpu, p99) = (results.ratio(name, case, |s| s.cpu_micros), results.ratio(name, case, |s| s.p99_ms));
            if cpu.is_none() { "-".to_owned() } else { format!("{} · {}", shown(cpu), shown(p99)) }
        });
    }
    let sizes =
        [(Size::IdleMemory, "memory, idle"), (Size::LoadedMemory, "memory after the load"), (Size::Socket, "memory of an idle socket")];
    for (size, what) in sizes {
        row(what, &|name| shown(results.size_ratio(name, size)));
    }
    text
}

/// Replaces the tables between the markers of a verb in docs/PERFORMANCE.md.
pub fn write(verb: &str, tables: &str) -> Result<()> {
    write_into("docs/PERFORMANCE.md", verb, tables)
}

/// As [`write`], in another document.
pub fn write_into(document: &str, verb: &str, tables: &str) -> Result<()> {
    let path = paths::root().join(document);
    let before = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let after = replace(&before, verb, tables).with_context(|| format!("{} has no markers for the tables", path.display()))?;
    fs::write(&path, after).with_context(|| format!("failed to write {}", path.display()))
}

fn replace(document: &str, verb: &str, tables: &str) -> Option<String> {
    let [begin, end] = ["begin", "end"].map(|which| format!("<!-- cargo xtask {verb}: {which} -->"));
    let (head, rest) = document.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{begin}\n{tables}{end}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::goals::judge;
    use crate::peers::results::Sample;

    #[test]
    fn only_the_text_between_the_markers_changes() {
        let document = |tables: &str| format!("# A\n\n<!-- cargo xtask a: begin -->\n{tables}\n<!-- cargo xtask a: end -->\n\nText.\n");
        assert_eq!(replace(&document("old"), "a", "new\n"), Some(document("new")));
        assert_eq!(replace(&document("old"), "b", "new\n"), None);
    }

    #[test]
    fn tables_hold_ratios_and_verdicts() {
        let mut results = Results::default();
        for (name, cpu_micros) in [(Name::Vitrine, 30.0), (Name::BareAxum, 10.0)] {
            results.add(name, Case::Health, Sample { cpu_micros, p99_ms: 2.0, busy: 1.0, bytes: 10.0, disturbed: false });
            results.add_size(name, Size::IdleMemory, cpu_micros);
        }
        let text = tables(&Conditions { rounds: 3, seconds: 4, load_cores: 1 }, &results, &judge(&results));
        assert!(text.contains("| CPU of GET /health ÷ bare axum | 3.00 | 1.50 | missed |"), "{text}");
        assert!(text.contains("| | ÷ bare-axum |\n| --- | --: |\n| GET /health | 3.00 · 1.00 |\n| GET /api/auth/me | - |"), "{text}");
    }
}
