//! Backups of Postgres that are not made any more.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use devstack::backup::Kind;

use super::Drill;

/// Older than the limit of the alert.
const AGE: Duration = Duration::from_hours(27);
const METRIC: &str = "backup_last_success_timestamp_seconds{kind=\"logical\"}";

/// The last good backup is too old.
pub const OLD: Drill = Drill {
    alerts: &["BackupTooOld"],
    cause: "the last logical backup, by its metric, is 27 hours old",
    mitigation: "a backup is made",
    inject: |test| {
        let backups = test.stack.backups()?;
        backups.make(Kind::Logical)?;
        let file = backups.metrics_file(Kind::Logical);
        let text = fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
        fs::write(&file, aged(&text)?)?;
        Ok(Box::new(move |_| backups.make(Kind::Logical).map(drop)))
    },
};

/// The metrics as they would be if the backup had been made long ago.
fn aged(text: &str) -> Result<String> {
    let then = SystemTime::now().duration_since(UNIX_EPOCH)?.checked_sub(AGE).context("the clock is wrong")?.as_secs();
    let line = |line: &str| if line.starts_with(METRIC) { format!("{METRIC} {then}\n") } else { format!("{line}\n") };
    Ok(text.lines().map(line).collect())
}
