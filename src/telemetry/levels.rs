//! Which log lines are written: a level for each target, from `LOG` until an admin changes it. The subscriber belongs to the process, so
//! these levels do, too. The feature `log_levels` has the route and the time limit of a change.

use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::reload;

/// The longest accepted list of levels, in characters.
pub const MAX_LENGTH: usize = 500;
/// The syntax of a list of levels that [`parse`] accepts, as a regular expression (ECMA-262).
pub const PATTERN: &str = concat!(
    "^([A-Za-z0-9_:-]+=)?(off|error|warn|info|debug|trace|OFF|ERROR|WARN|INFO|DEBUG|TRACE)",
    "(,([A-Za-z0-9_:-]+=)?(off|error|warn|info|debug|trace|OFF|ERROR|WARN|INFO|DEBUG|TRACE))*$"
);

static INSTALLED: OnceLock<Levels> = OnceLock::new();

/// The handle to the levels of the running process.
pub struct Levels(reload::Handle<Targets, Registry>);

/// The filter of log lines, and the handle that changes it. `text` is the value of `LOG`.
pub(super) fn filter(text: &str) -> (reload::Layer<Targets, Registry>, Levels) {
    let targets = parse(text).unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let (filter, handle) = reload::Layer::new(targets);
    (filter, Levels(handle))
}

impl Levels {
    pub(super) fn install(self) {
        // A process initializes logging once.
        let _first = INSTALLED.set(self);
    }
}

/// Changes the levels of this process from now on. Does nothing if `text` is invalid or logging is not initialized.
pub fn set(text: &str) {
    if let (Some(Levels(handle)), Ok(targets)) = (INSTALLED.get(), parse(text)) {
        // Fails only if the subscriber is gone.
        let _gone = handle.reload(targets);
    }
}

/// Reads levels such as `info,vitrine::jobs=debug`: a level for everything, and a level for each target. A target includes the modules
/// below it. A later entry for the same target replaces an earlier one.
///
/// # Errors
/// The requirement that the text does not meet, for the sentence "`LOG` must be …".
pub fn parse(text: &str) -> Result<Targets, &'static str> {
    const REQUIREMENT: &str = "levels for targets, such as info,vitrine::jobs=debug";
    if text.len() > MAX_LENGTH {
        return Err("at most 500 characters");
    }
    let mut targets = Targets::new();
    for entry in text.split(',') {
        let (target, level) = entry.rsplit_once('=').map_or((None, entry), |(target, level)| (Some(target), level));
        let level = level_of(level).ok_or(REQUIREMENT)?;
        targets = match target {
            None => targets.with_default(level),
            Some(target) if is_target(target) => targets.with_target(target, level),
            Some(_) => return Err(REQUIREMENT),
        };
    }
    Ok(targets)
}

fn level_of(text: &str) -> Option<LevelFilter> {
    Some(match text {
        "off" | "OFF" => LevelFilter::OFF,
        "error" | "ERROR" => LevelFilter::ERROR,
        "warn" | "WARN" => LevelFilter::WARN,
        "info" | "INFO" => LevelFilter::INFO,
        "debug" | "DEBUG" => LevelFilter::DEBUG,
        "trace" | "TRACE" => LevelFilter::TRACE,
        _ => return None,
    })
}

fn is_target(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_apply_to_a_target_and_the_modules_below_it() {
        let targets = parse("WARN,vitrine::jobs=debug,access=off").unwrap();
        for (target, level, expected) in [
            ("vitrine::http", Level::INFO, false),
            ("vitrine::http", Level::WARN, true),
            ("vitrine::jobs::attempt", Level::DEBUG, true),
            ("access", Level::ERROR, false),
        ] {
            assert_eq!(targets.would_enable(target, &level), expected, "{target} {level}");
        }
    }

    #[test]
    fn other_texts_are_no_levels() {
        let long = "info,".repeat(100) + "info";
        for text in [
            "",
            "loud",
            "vitrine",
            "=info",
            "vitrine=",
            "vitrine=loud",
            "info,,warn",
            "[span]=info",
            "a b=info",
            "info, warn",
            "info;warn",
            &long,
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
