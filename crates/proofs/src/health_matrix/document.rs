//! Writes the proof's table into docs/RELIABILITY.md, between two markers. The rest of the file is written by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use devstack::paths;

use super::cells::{Cell, Edge};

const BEGIN: &str = "<!-- health-matrix: written by cargo xtask health-matrix, do not edit -->\n";
const END: &str = "<!-- /health-matrix -->\n";

/// Measurements during a fault and after it.
pub struct Measured {
    pub cell: &'static Cell,
    /// Duration of the slowest request through the edge while the probes, the edge and the monitoring reported the fault as expected.
    pub slowest: Duration,
    /// Time from the start of the repair until the service was healthy.
    pub recovery: Duration,
}

/// Replaces the table in the document.
pub fn write(measured: &[Measured]) -> Result<()> {
    let path = path();
    let document = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let text = replaced(&document, &table(measured)).with_context(|| format!("{} has no markers", path.display()))?;
    fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
}

fn path() -> PathBuf {
    paths::root().join("docs/RELIABILITY.md")
}

fn replaced(document: &str, table: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

fn table(measured: &[Measured]) -> String {
    let mut text =
        "| what | fault | `/health/live` | `/health/ready` | edge | 0 in Prometheus | alerts | slowest answer | healthy again |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for Measured { cell, slowest, recovery } in measured {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}{:.1} s | {:.1} s |", expectation(cell), slowest.as_secs_f64(), recovery.as_secs_f64());
    }
    text
}

/// The beginning of a row: the fault and the expected reports. The columns after it are measured.
fn expectation(cell: &Cell) -> String {
    let edge = match cell.edge {
        Edge::All => "200; all replicas",
        Edge::Others => "200; the other replicas",
        Edge::Unavailable => "503 with `Retry-After`",
    };
    let down: Vec<String> = cell.down.iter().map(|series| format!("`{series}`")).collect();
    let alerts: Vec<String> = cell.drill.alerts.iter().map(|alert| format!("[{alert}](../monitoring/runbooks/{alert}.md)")).collect();
    let or_none = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    format!(
        "| {} | {}: {} | {} | {} | {edge} | {} | {} | ",
        cell.target.name(),
        cell.fault.name(),
        cell.drill.cause,
        cell.live,
        cell.ready,
        or_none(&down),
        or_none(&alerts)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health_matrix::cells::CELLS;

    #[test]
    fn only_the_text_between_the_markers_is_replaced() {
        let document = format!("# Reliability\n\n{BEGIN}\nold\n\n{END}\nEnd.\n");
        assert_eq!(replaced(&document, "new\n").unwrap(), format!("# Reliability\n\n{BEGIN}\nnew\n\n{END}\nEnd.\n"));
        assert_eq!(replaced("# Reliability\n", "new\n"), None);
    }

    #[test]
    fn the_document_has_the_current_row_of_each_fault() {
        let text = fs::read_to_string(path()).unwrap();
        let missing: Vec<String> = CELLS.iter().filter(|cell| !text.contains(&expectation(cell))).map(Cell::name).collect();
        assert!(missing.is_empty(), "cargo xtask health-matrix has not written the rows of {missing:?}");
    }
}
