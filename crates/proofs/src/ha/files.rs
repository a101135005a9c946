//! The files of `monitoring/ha/` for processes on this machine: the flags of a service of compose.yml, and configuration with local
//! addresses. `site` starts the processes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use devstack::report::Outcome;
use devstack::tools::PROMTOOL;
use devstack::{paths, ports};
use rule_tools::checks::{check as run, tool};
use rule_tools::rules;
use serde_json::Value;

const FOLDER: &str = "monitoring/ha";

/// The hosts that the files name, with their ports. The last one is not in them: the proof adds a third Prometheus with aliases.
const HOSTS: [&str; 10] = [
    "prometheus:9090",
    "prometheus-2:9090",
    "prometheus.other.example:9090",
    "prometheus-above:9090",
    "alertmanager:9093",
    "alertmanager-2:9093",
    "alertmanager:9094",
    "alertmanager-2:9094",
    "victoria-metrics:8428",
    "prometheus-aliases:9090",
];

/// The files, and the addresses of their hosts on this machine.
pub struct Files {
    services: Value,
    addresses: BTreeMap<&'static str, String>,
}

impl Files {
    /// Reads compose.yml and finds a free port for each host.
    pub fn read() -> Result<Self> {
        let compose: Value = rules::read(&paths::root().join(FOLDER).join("compose.yml"))?;
        let ports = ports::free(HOSTS.len())?;
        let addresses = HOSTS.into_iter().zip(ports).map(|(host, port)| (host, format!("127.0.0.1:{port}"))).collect();
        Ok(Self { services: compose["services"].clone(), addresses })
    }

    /// The address of a host on this machine, such as `127.0.0.1:4242`.
    pub fn address(&self, host: &str) -> Result<&str> {
        self.addresses.get(host).map(String::as_str).with_context(|| format!("no host {host}"))
    }

    /// A text with the addresses of this machine.
    fn localise(&self, text: &str) -> String {
        self.addresses.iter().fold(text.to_owned(), |text, (host, address)| text.replace(host, address))
    }

    /// A file with the addresses of this machine.
    pub fn text(&self, name: &str) -> Result<String> {
        Ok(self.localise(&text(name)?))
    }

    /// The flags of a service. `local` replaces the flags of the same name, which have paths and addresses in a container.
    pub fn flags(&self, service: &str, local: &[(&str, String)]) -> Result<Vec<String>> {
        let flags = self.services[service]["command"].as_array().with_context(|| format!("{service} has no command"))?;
        let is_kept = |flag: &&str| !local.iter().any(|(name, _)| flag.split('=').next() == Some(name));
        let kept = flags.iter().filter_map(Value::as_str).filter(is_kept).map(|flag| self.localise(flag));
        Ok(kept.chain(local.iter().map(|(name, value)| format!("{name}={value}"))).collect())
    }

    /// A variable in the environment of a service.
    pub fn variable(&self, service: &str, name: &str) -> Result<&str> {
        self.services[service]["environment"][name].as_str().with_context(|| format!("{service} has no variable {name}"))
    }
}

fn text(name: &str) -> Result<String> {
    let path = paths::root().join(FOLDER).join(name);
    fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
}

/// Whether promtool accepts the configuration with each store, and the rules above the clusters with their tests. A file that no program
/// here reads must at least be YAML.
pub fn check() -> Result<Outcome> {
    let folder = paths::temporary("ha-files")?;
    let root = folder.path();
    let pair = text("prometheus.yml")?;
    let (without_store, _) = pair.split_once("\nremote_write:\n").context("prometheus.yml has no store")?;
    // promtool reads the files that the configuration names.
    let here = |text: &str| text.replace("/etc/prometheus/", &format!("{}/", paths::root().join("monitoring/prometheus").display()));
    let token = |text: &str| text.replace("/run/vitrine/", &format!("{}/", root.display()));
    paths::write_secret(&root.join("prometheus_metrics_token"), "")?;
    let mut sum = Outcome::default();
    for (name, config) in [
        ("pair", pair.clone()),
        ("alone", without_store.to_owned()),
        ("mimir", format!("{without_store}\n{}", text("mimir.remote-write.yml")?)),
    ] {
        let path = root.join(name).with_extension("yml");
        fs::write(&path, token(&here(&config)))?;
        add(&mut sum, name, &run(tool(&PROMTOOL)?.args(["check", "config"]).arg(&path))?);
    }
    let home = paths::root().join(FOLDER);
    add(&mut sum, "above", &run(tool(&PROMTOOL)?.args(["check", "config", "above.yml"]).current_dir(&home))?);
    add(
        &mut sum,
        "above.rules",
        &run(tool(&PROMTOOL)?.args(["check", "rules", "--lint=all", "--lint-fatal", "above.rules.yml"]).current_dir(&home))?,
    );
    add(&mut sum, "above.tests", &run(tool(&PROMTOOL)?.args(["test", "rules", "above.tests.yml"]).current_dir(&home))?);
    for name in ["mimir.yml", "thanos.compose.yml", "thanos.objstore.yml"] {
        let parsed: Value = rules::read(&Path::new(&home).join(name))?;
        ensure!(parsed.is_object(), "{name} is not a mapping");
        sum.passed += 1;
    }
    Ok(sum)
}

fn add(sum: &mut Outcome, name: &str, outcome: &Outcome) {
    sum.passed += outcome.passed;
    sum.failed += outcome.failed;
    if outcome.failed > 0 {
        sum.note = format!("{name}: {}", outcome.note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_flag_replaces_that_of_the_container_and_hosts_become_addresses() {
        let files = Files::read().unwrap();
        let flags = files.flags("alertmanager", &[("--storage.path", "/here".to_owned())]).unwrap();
        assert!(
            flags.contains(&"--storage.path=/here".to_owned()) && !flags.contains(&"--storage.path=/alertmanager".to_owned()),
            "{flags:?}"
        );
        let peer = format!("--cluster.peer={}", files.address("alertmanager-2:9094").unwrap());
        assert!(flags.contains(&peer), "{flags:?}");
        assert_eq!(files.variable("prometheus-2", "REPLICA").unwrap(), "2");
    }

    #[test]
    fn no_host_is_part_of_another() {
        for host in HOSTS {
            assert_eq!(HOSTS.iter().filter(|other| other.contains(host)).count(), 1, "{host}");
        }
    }
}
