//! Compares databases row by row. The scripts of `backup/` compare too, by a sum that they keep in the manifest; this comparison shares
//! nothing with them: it reads the rows themselves.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, ensure};
use devstack::stack::Stack;
use sha2::{Digest, Sha256};

/// For each table the number of its rows, and the SHA-256 sum of its sorted rows.
#[derive(Debug, PartialEq, Eq)]
pub struct Rows(BTreeMap<String, (usize, String)>);

impl Rows {
    /// Reads every table. The replicas must be stopped.
    pub fn read(stack: &Stack) -> Result<Self> {
        let tables = stack.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")?;
        let rows = |table: &str| {
            let text = stack.sql(&format!("COPY (SELECT * FROM \"{table}\") TO STDOUT"))?;
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            let sum = Sha256::digest(lines.join("\n")).iter().fold(String::new(), |mut sum, byte| {
                // Writing to a String cannot fail.
                let _ = write!(sum, "{byte:02x}");
                sum
            });
            Ok((table.to_owned(), (lines.len(), sum)))
        };
        Ok(Self(tables.lines().map(rows).collect::<Result<_>>()?))
    }

    /// Fails if a table differs; returns the number of tables and of rows.
    pub fn ensure_equal(&self, restored: &Self) -> Result<(usize, usize)> {
        let different: Vec<&str> =
            self.0.iter().filter(|(table, rows)| restored.0.get(*table) != Some(rows)).map(|(table, _)| table.as_str()).collect();
        ensure!(different.is_empty(), "rows differ in {}", different.join(", "));
        ensure!(self.0.len() == restored.0.len(), "the restored database has other tables");
        let rows = self.0.values().map(|(count, _)| count).sum();
        ensure!(rows > 0, "there are no rows to compare");
        Ok((self.0.len(), rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(tables: &[(&str, usize, &str)]) -> Rows {
        Rows(tables.iter().map(|(table, count, sum)| ((*table).to_owned(), (*count, (*sum).to_owned()))).collect())
    }

    #[test]
    fn a_changed_row_or_a_missing_table_is_a_difference() {
        let before = rows(&[("users", 2, "a"), ("projects", 1, "b")]);
        assert_eq!(before.ensure_equal(&rows(&[("users", 2, "a"), ("projects", 1, "b")])).unwrap(), (2, 3));
        let error = before.ensure_equal(&rows(&[("users", 2, "x"), ("projects", 1, "b")])).unwrap_err().to_string();
        assert_eq!(error, "rows differ in users");
        assert!(before.ensure_equal(&rows(&[("users", 2, "a")])).is_err());
        assert!(rows(&[]).ensure_equal(&rows(&[])).is_err(), "nothing was compared");
    }
}
