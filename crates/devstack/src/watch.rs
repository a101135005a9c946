//! Watches the sources of the application for changes. The verb `dev` decides what a change causes.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

/// The folders with sources, relative to the root of the checkout.
const FOLDERS: [&str; 5] = ["src", "templates", "migrations", ".sqlx", "web/src"];
/// The sources in the root itself.
const FILES: [&str; 2] = ["Cargo.toml", "build.rs"];
/// An editor or Git may write several files at once: a change is over after this time without another.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest time for which a call waits for the end of a change.
const LONGEST: Duration = Duration::from_secs(2);

/// The watched sources of a checkout.
pub struct Sources {
    /// Watches until it is dropped.
    _watcher: RecommendedWatcher,
    events: Receiver<notify::Result<Event>>,
    root: PathBuf,
}

impl Sources {
    /// Watches the sources below a root. Changes from now on are noticed.
    pub fn watch(root: &Path) -> Result<Self> {
        let (sender, events) = channel();
        let mut watcher = notify::recommended_watcher(sender).context("failed to watch the sources")?;
        let mut watch = |path: &Path, mode| watcher.watch(path, mode).with_context(|| format!("failed to watch {}", path.display()));
        // The root instead of its files: many editors replace a file, and a watch would stay with the old one.
        watch(root, RecursiveMode::NonRecursive)?;
        for folder in FOLDERS {
            watch(&root.join(folder), RecursiveMode::Recursive)?;
        }
        Ok(Self { _watcher: watcher, events, root: root.to_owned() })
    }

    /// Whether a source has changed since the last call. Returns when no event has arrived for 100 ms, after about 2 s at most.
    pub fn have_changed(&self) -> Result<bool> {
        let start = Instant::now();
        let mut changed = false;
        while start.elapsed() < LONGEST
            && let Ok(event) = self.events.recv_timeout(PAUSE)
        {
            changed |= self.is_change(&event.context("failed to watch the sources")?);
        }
        Ok(changed)
    }

    /// Whether an event is a change of a source. Reads do not count, because every build reads the sources.
    fn is_change(&self, event: &Event) -> bool {
        let is_source = |path: &Path| path.parent() != Some(&self.root) || FILES.iter().any(|file| path.ends_with(file));
        event.need_rescan() || (!event.kind.is_access() && event.paths.iter().any(|path| is_source(path)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn checkout() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in FOLDERS {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("src/lib.rs"), "").unwrap();
        root
    }

    #[test]
    fn a_change_of_a_source_is_noticed_once() {
        let root = checkout();
        let sources = Sources::watch(root.path()).unwrap();
        assert!(!sources.have_changed().unwrap());
        for file in ["src/lib.rs", "src/new.rs", "web/src/app.ts", "Cargo.toml"] {
            fs::write(root.path().join(file), "changed").unwrap();
            assert!(sources.have_changed().unwrap(), "{file}");
            assert!(!sources.have_changed().unwrap(), "{file}");
        }
    }

    #[test]
    fn a_replaced_file_and_a_new_folder_are_noticed() {
        let root = checkout();
        let path = |name: &str| root.path().join(name);
        let sources = Sources::watch(root.path()).unwrap();
        fs::write(path("draft"), "[package]").unwrap();
        fs::rename(path("draft"), path("Cargo.toml")).unwrap();
        assert!(sources.have_changed().unwrap());
        fs::create_dir(path("src/pages")).unwrap();
        assert!(sources.have_changed().unwrap());
        fs::write(path("src/pages/mod.rs"), "").unwrap();
        assert!(sources.have_changed().unwrap());
    }

    #[test]
    fn reads_and_other_files_are_no_change() {
        let root = checkout();
        let sources = Sources::watch(root.path()).unwrap();
        fs::read(root.path().join("src/lib.rs")).unwrap();
        fs::write(root.path().join("notes.md"), "a note").unwrap();
        fs::write(root.path().join("Cargo.lock"), "locked").unwrap();
        assert!(!sources.have_changed().unwrap());
    }
}
