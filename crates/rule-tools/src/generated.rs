//! Writes a committed file that a verb of `cargo xtask` generates, or compares the file with the generated text.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use devstack::paths;
use devstack::report::Outcome;

/// A generated file.
pub struct Generated {
    /// Relative to the root of the checkout.
    pub path: &'static str,
    /// The verb of `cargo xtask` that generates it.
    pub verb: &'static str,
    /// Its contents.
    pub text: String,
}

impl Generated {
    fn full_path(&self) -> PathBuf {
        paths::root().join(self.path)
    }

    /// Writes the file.
    pub fn write(&self) -> Result<Outcome> {
        fs::write(self.full_path(), &self.text).with_context(|| format!("failed to write {}", self.path))?;
        Ok(Outcome::passed())
    }

    /// Passes if the file is up to date.
    pub fn compare(&self) -> Result<Outcome> {
        let is_same = self.full_path().exists() && fs::read_to_string(self.full_path())? == self.text;
        Ok(if is_same { Outcome::passed() } else { Outcome::failed(format!("run `cargo xtask {}` and commit: {}", self.verb, self.path)) })
    }
}
