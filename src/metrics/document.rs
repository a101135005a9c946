//! Renders the catalogue as `docs/METRICS.md`; `tests/contract/` checks that the file is current.

use super::catalogue::{Row, rows};

const HEAD: &str = "# Metrics\n\n\
    Generated from `src/metrics/catalogue.rs` by `cargo xtask catalogue`; do not edit.\n\n\
    All metrics use base units. Every series of a closed label set exists at zero before its first event. In HTTP metrics, `route`\n\
    is a route template or `other`. `method` is a method that the route declares or `OTHER`; for the route `other`, it is any of\n\
    GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, OTHER. `status` is the three-digit status code. No label value ever comes from\n\
    client text. Requests outside of declared operations (`other`, `OTHER`) are counted but have no histograms.\n\
    Vitrine has no garbage collector: in place of collector pauses, use `process_heap_bytes` and\n\
    `runtime_scheduling_delay_seconds`.\n";

/// The section on aliases, which are not in the catalogue. `tests/contract/foreign_names.rs` compares the section's table with the rules
/// that record the aliases.
const FOREIGN_NAMES: &str = include_str!("foreign_names.md");

/// Renders the catalogue as Markdown.
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

#[cfg(test)]
mod tests {
    use super::HEAD;
    use crate::metrics::http::METHODS;

    #[test]
    fn the_head_lists_every_method() {
        assert!(HEAD.contains(&METHODS.join(", ")));
    }
}
