//! The catalogue for people: `docs/METRICS.md` is generated from it and checked by `tests/contract/`.

use super::catalogue::{Row, rows};

const HEAD: &str = "# Metrics\n\n\
    Generated from `src/metrics/catalogue.rs` by `cargo xtask catalogue`; do not edit.\n\n\
    Base units; every closed label set exists at zero before the first event. `route` is a route template or `other`,\n\
    `method` is one that the route declares or `OTHER`, `status` is the three digits. No label ever holds text from a client.\n\
    What no operation declares, `other` and `OTHER`, is counted and has no histograms.\n\
    There is no garbage collector here: where Node's services show its pauses,\n\
    see `process_heap_bytes` and `runtime_scheduling_delay_seconds`.\n";

/// What foreign names map to: the catalogue does not know them, `tests/contract/foreign_names.rs` holds them to the rules.
const FOREIGN_NAMES: &str = include_str!("foreign_names.md");

/// The catalogue as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut lines = vec![HEAD.to_owned()];
    let mut section = "";
    for row in rows() {
        if row.section != section {
            section = row.section;
            lines.push(format!("\n## {section}\n\n| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n"));
        }
        lines.push(format!("| `{}` | {} | {} | {} |\n", row.name, row.kind, labels(&row), meaning(&row)));
    }
    lines.push(FOREIGN_NAMES.to_owned());
    lines.concat()
}

fn labels(row: &Row) -> String {
    if row.keys.is_empty() {
        return "-".to_owned();
    }
    let label = |(position, key): (usize, &&str)| {
        let mut values: Vec<&str> = row.series.iter().map(|values| values[position]).collect();
        values.sort_unstable();
        values.dedup();
        if values.is_empty() { format!("`{key}`") } else { format!("`{key}` ({})", values.join(", ")) }
    };
    row.keys.iter().enumerate().map(label).collect::<Vec<_>>().join(" · ")
}

fn meaning(row: &Row) -> String {
    if row.buckets.is_empty() {
        return row.help.to_owned();
    }
    let bounds: Vec<String> = row.buckets.iter().map(ToString::to_string).collect();
    format!("{}; buckets {}", row.help, bounds.join(" "))
}
