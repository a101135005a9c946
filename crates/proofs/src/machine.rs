//! Kernel statistics of processes and cores. `peers`, `growth` and `footprint` interpret them.

use std::fs;

use anyhow::{Context, Result, ensure};
use devstack::process::{capture_ok, task};

/// The kernel reports CPU time in hundredths of a second (`USER_HZ`) on every architecture that we build for.
pub const TICKS_PER_SECOND: f64 = 100.0;

/// The core of the server under test, and the cores of the load and the stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The core of the server.
    pub server: u32,
    /// The other cores.
    pub load: Vec<u32>,
}

impl Cores {
    /// Divides the cores that this process may use.
    pub fn divide() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status").context("failed to read /proc/self/status")?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).context("the kernel lists no cores")?;
        let mut cores = numbers(list.trim()).context("failed to parse the kernel's list of cores")?;
        ensure!(
            cores.len() >= 2,
            "at least two cores are required, one for the server and one for the load; this process may use {}",
            cores.len()
        );
        let server = cores.remove(0);
        Ok(Self { server, load: cores })
    }

    /// All cores.
    pub fn all(&self) -> Vec<u32> {
        [&[self.server], &self.load[..]].concat()
    }

    /// Moves this process, and all children that it starts later, to the cores of the load.
    pub fn take_load_side(&self) -> Result<()> {
        let list: Vec<String> = self.load.iter().map(u32::to_string).collect();
        let own = std::process::id().to_string();
        capture_ok(task("taskset").args(["--all-tasks", "--cpu-list", "--pid", &list.join(","), &own])).map(drop)
    }
}

/// Parses a list of numbers such as `0-3,8`.
fn numbers(list: &str) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        found.extend(from.parse::<u32>().ok()?..=to.parse().ok()?);
    }
    Some(found)
}

/// A process and its descendants.
pub fn tree(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        next += 1;
        found.extend(children(pid));
    }
    found
}

/// The children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        // The thread may have ended since it was listed.
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    found
}

/// CPU time, in ticks, of a process and its descendants, including their ended children if the parent has waited for them.
pub fn cpu_ticks(pid: u32) -> u64 {
    tree(pid).into_iter().filter_map(|pid| ticks_of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).sum()
}

/// User and system time of a process and of its ended children, from `/proc/PID/stat`. The process name, which precedes these fields, may
/// contain any character.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(4).map(|field| field.parse::<u64>().ok()).collect::<Option<Vec<_>>>()?;
    (times.len() == 4).then(|| times.iter().sum())
}

/// Resident memory of a process and its descendants in KiB.
pub fn resident_kib(pid: u32) -> u64 {
    tree(pid).into_iter().filter_map(|pid| resident_in(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)).sum()
}

fn resident_in(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

/// Memory of a process and its descendants in KiB. Pages that several processes share, such as the buffers of Postgres, are divided among
/// them, so the sum counts no page twice.
pub fn shared_out_kib(pid: u32) -> u64 {
    tree(pid).into_iter().filter_map(|pid| shared_out_in(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)).sum()
}

fn shared_out_in(rollup: &str) -> Option<u64> {
    rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?.split_whitespace().next()?.parse().ok()
}

/// Ticks in which processes, or other virtual machines of the same host, used these cores. Interrupts belong to no process and are
/// left out.
pub fn busy_ticks(cores: &[u32]) -> Result<u64> {
    Ok(busy_in(&fs::read_to_string("/proc/stat").context("failed to read /proc/stat")?, cores))
}

fn busy_in(stat: &str, cores: &[u32]) -> u64 {
    let is_selected =
        |name: &str| name.strip_prefix("cpu").and_then(|number| number.parse().ok()).is_some_and(|core| cores.contains(&core));
    let used = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // The fields user, nice, system and steal.
        [1, 2, 3, 8].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum::<u64>()
    };
    stat.lines().filter(|line| line.split(' ').next().is_some_and(is_selected)).map(used).sum()
}

/// The model of the processor, or its architecture if the kernel does not name the model.
pub fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_parsed() {
        assert_eq!(numbers("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(numbers("3"), Some(vec![3]));
        assert_eq!(numbers("all"), None);
    }

    #[test]
    fn cpu_time_is_parsed_after_a_name_with_parentheses_and_spaces() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 3 2 20 0 1 0 100 1000 10";
        assert_eq!(ticks_of(stat), Some(17));
        assert_eq!(ticks_of("42 (short) S 1"), None);
    }

    #[test]
    fn memory_is_parsed_in_kib() {
        assert_eq!(resident_in("Name:\tx\nVmRSS:\t   2048 kB\n"), Some(2048));
        assert_eq!(resident_in("Name:\tkernel thread\n"), None);
        assert_eq!(shared_out_in("Rss:     900 kB\nPss:     300 kB\nPss_Anon: 10 kB\n"), Some(300));
    }

    #[test]
    fn only_the_named_cores_are_summed_and_interrupts_are_left_out() {
        let stat = "cpu  100 0 0 0 0 0 0 0 0 0\ncpu0 1 2 3 50 60 70 80 4 0 0\ncpu1 10 20 30 0 0 0 0 40 0 0\ncpu10 1000 0 0 0 0 0 0 0 0 0\n";
        assert_eq!(busy_in(stat, &[0]), 10);
        assert_eq!(busy_in(stat, &[0, 1]), 110);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(resident_kib(std::process::id()) >= shared_out_kib(std::process::id()));
        assert!(shared_out_kib(std::process::id()) > 0);
    }
}
