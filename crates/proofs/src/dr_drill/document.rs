//! The table of docs/DISASTER-RECOVERY.md, between the markers of `dr-drill`. The text around it is written by hand.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;

use crate::machine;
use crate::peers::document;

/// The number of returns in a whole drill.
pub const RETURNS: usize = 3;

/// One return after a loss.
pub struct Return {
    /// What it returned from.
    pub what: &'static str,
    /// Number of acknowledged writes, or of rows, that had to return.
    pub writes: usize,
    /// Number of them that did not.
    pub lost: usize,
    /// The age of the oldest lost write at the loss: the recovery point. `None` if it is the age of the backup.
    pub window: Option<Duration>,
    /// From the loss until the service accepted writes again.
    pub took: Duration,
}

impl Return {
    /// For the report.
    pub fn note(&self) -> String {
        let Self { writes, lost, window, took, .. } = self;
        let window = window.unwrap_or_default().as_secs_f64();
        format!("RPO {window:.2} s ({lost} of {writes} acknowledged writes lost), RTO {:.1} s", took.as_secs_f64())
    }
}

/// Writes the table.
pub fn write(returns: &[Return]) -> Result<()> {
    document::write_into("docs/DISASTER-RECOVERY.md", "dr-drill", &table(returns))
}

fn table(returns: &[Return]) -> String {
    let mut text = format!(
        "Measured on {}, with unoptimised replicas.\n\n\
         | return from | had to return | lost | recovery point (RPO) | recovery time (RTO) |\n| --- | --: | --: | --: | --: |\n",
        machine::processor()
    );
    for Return { what, writes, lost, window, took } in returns {
        let (unit, window) = window.map_or_else(
            || ("rows", "the age of the backup".to_owned()),
            |window| ("acknowledged writes", format!("{:.2} s", window.as_secs_f64())),
        );
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {what} | {writes} {unit} | {lost} | {window} | {:.1} s |", took.as_secs_f64());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_what_was_lost_and_how_long_the_return_took() {
        let log = Return {
            what: "received log",
            writes: 41,
            lost: 1,
            window: Some(Duration::from_millis(20)),
            took: Duration::from_millis(9_500),
        };
        assert_eq!(log.note(), "RPO 0.02 s (1 of 41 acknowledged writes lost), RTO 9.5 s");
        let rows = Return { what: "logical backup", writes: 7, lost: 0, window: None, took: Duration::from_secs(8) };
        let text = table(&[log, rows]);
        assert!(text.contains("| received log | 41 acknowledged writes | 1 | 0.02 s | 9.5 s |\n"), "{text}");
        assert!(text.contains("| logical backup | 7 rows | 0 | the age of the backup | 8.0 s |\n"), "{text}");
    }
}
