//! Settings of compose that also apply to `up`: environment variables, and variables in the file `.env`. The modules that read the settings
//! define their names.

use std::env;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::paths;

/// The variables in a file `.env`. Environment variables take precedence over them, as in compose.
pub struct Settings {
    written: Vec<(String, String)>,
}

impl Settings {
    /// Reads `.env` in the root of the checkout, if there is one.
    pub fn of_checkout() -> Result<Self> {
        Self::read(&paths::root().join(".env"))
    }

    /// Reads a file, if it exists.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        if !file.exists() {
            return Ok(Self { written: Vec::new() });
        }
        let pairs = dotenvy::from_path_iter(file).and_then(Iterator::collect);
        Ok(Self { written: pairs.with_context(|| format!("failed to read {}", file.display()))? })
    }

    /// The value of a variable. An empty value selects the default, as in compose.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let of_file = || self.written.iter().rev().find_map(|(key, value)| (key == name).then(|| value.clone()));
        env::var(name).ok().or_else(of_file).filter(|value| !value.is_empty())
    }

    /// Whether a switch is on, which is the default.
    pub fn is_on(&self, name: &str) -> Result<bool> {
        let Some(value) = self.get(name) else { return Ok(true) };
        match value.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => Ok(true),
            "off" | "false" | "no" | "0" => Ok(false),
            _ => bail!("{name}={value}: must be on or off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_on_unless_the_file_turns_it_off() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        let is_on = || Settings::read(&file).unwrap().is_on("VITRINE_TEST_SWITCH");
        assert!(is_on().unwrap(), "without a file");
        for (line, on) in [("#VITRINE_TEST_SWITCH=off", true), ("VITRINE_TEST_SWITCH=", true), ("VITRINE_TEST_SWITCH=Off # quiet", false)] {
            std::fs::write(&file, format!("{line}\n")).unwrap();
            assert_eq!(is_on().unwrap(), on, "{line}");
        }
        std::fs::write(&file, "VITRINE_TEST_SWITCH=maybe\n").unwrap();
        assert_eq!(is_on().unwrap_err().to_string(), "VITRINE_TEST_SWITCH=maybe: must be on or off");
    }
}
