//! The processes that a process has started, directly or not, as Linux lists them.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

struct Process {
    name: String,
    parent: u32,
}

/// The names of a process and its descendants, by process id.
pub fn descendants(root: u32) -> Result<BTreeMap<u32, String>> {
    let entries = fs::read_dir("/proc").context("failed to read /proc")?;
    let read = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        // A process may exit meanwhile.
        Some((pid, parse(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
    };
    Ok(among(root, entries.flatten().filter_map(read).collect()))
}

/// Parses a line such as `123 (name) S 1 …`; the name may contain spaces and parentheses.
fn parse(stat: &str) -> Option<Process> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    Some(Process { name: name.to_owned(), parent: after.split_whitespace().nth(1)?.parse().ok()? })
}

fn among(root: u32, mut others: BTreeMap<u32, Process>) -> BTreeMap<u32, String> {
    let mut found: BTreeMap<u32, String> = others.remove(&root).map(|process| (root, process.name)).into_iter().collect();
    loop {
        let children: Vec<u32> = others.iter().filter(|(_, process)| found.contains_key(&process.parent)).map(|(pid, _)| *pid).collect();
        if children.is_empty() {
            return found;
        }
        found.extend(children.into_iter().filter_map(|pid| Some((pid, others.remove(&pid)?.name))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_of_every_generation_are_found() {
        let lines = [(1, "1 (init) S 0 1"), (2, "2 (a (b) c) S 1 1"), (3, "3 (d) S 2 1"), (4, "4 (e) S 1 1"), (5, "5 (f) S 3 1")];
        let processes = lines.map(|(pid, stat)| (pid, parse(stat).unwrap())).into_iter().collect();
        let found: Vec<(u32, String)> = among(2, processes).into_iter().collect();
        assert_eq!(found, [(2, "a (b) c".to_owned()), (3, "d".to_owned()), (5, "f".to_owned())]);
    }
}
