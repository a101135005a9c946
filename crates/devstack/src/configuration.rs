//! Local copies of compose's configuration for the monitoring and the platforms: the same files with other addresses.
//!
//! Templates, dashboards and rules are copied unchanged; [`speed_up`] edits the rules afterwards. Edits work on lines, not on parsed YAML:
//! all other lines, with their comments and order, stay the same, so the copy can be compared with the original.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::paths;
use crate::ports::{MAX_REPLICAS, Port, Ports};
use crate::speed::Pace;
use crate::yaml::{drop_block, drop_item, unquoted};

/// The configuration of the simulated platforms.
const SIMULATED: &str = "platforms/simulated.toml";

/// The folder in containers that holds Alertmanager's secrets.
const ALERTMANAGER_SECRETS: &str = "/run/alertmanager";
/// Where containers have the token that Prometheus sends to the replicas.
const METRICS_TOKEN: &str = "/run/vitrine/prometheus_metrics_token";
/// A routing key with the length of `PagerDuty`'s keys; the simulator accepts any key of that length.
const SIMULATED_ROUTING_KEY: &str = "00000000000000000000000simulated";

/// The copied parts of `monitoring/`: those that Prometheus, Alertmanager and Grafana read.
const PARTS: [&str; 4] = ["prometheus", "alertmanager", "grafana/provisioning", "grafana/dashboards"];

/// Writes `prometheus/`, `alertmanager/` and `grafana/` into `folder`.
pub fn write(folder: &Path, ports: &Ports, replicas: u16, with_grafana: bool) -> Result<()> {
    let source = paths::root().join("monitoring");
    for part in PARTS {
        let (from, to) = (source.join(part), folder.join(part));
        if to.exists() {
            // A rule that was deleted in the checkout must not remain in the copy.
            fs::remove_dir_all(&to).with_context(|| format!("failed to replace {}", to.display()))?;
        }
        if from.is_dir() {
            copy(&from, &to)?;
        }
    }
    let pages = ports.pages()?;
    let edge = ports.url(Port::Edge)?;
    edit(&folder.join("prometheus/prometheus.yml"), |text| {
        // An edge that serves a host name has another URL than that of its port.
        let text = text.replace(&format!("http://{}/", Port::Edge.name()), &format!("{edge}/"));
        with_values(&prometheus(&text, folder, ports, replicas, with_grafana), &pages)
    })?;
    edit(&folder.join("alertmanager/alertmanager.yml"), |text| alertmanager(text, folder, ports))?;
    write_receivers(&folder.join("alertmanager"), ports)?;
    write_metrics_token(folder, "")?;
    let sources = folder.join("grafana/provisioning");
    if sources.is_dir() {
        edit_all(&sources, &|text| {
            let dashboards = folder.join("grafana/dashboards").display().to_string();
            ports.localise(text).replace("/var/lib/grafana/dashboards", &dashboards)
        })?;
    }
    Ok(())
}

/// Writes the file from which Prometheus reads the token for the replicas' metrics. `token` is empty if replicas require none.
pub(crate) fn write_metrics_token(folder: &Path, token: &str) -> Result<()> {
    paths::write_secret(&metrics_token(folder), token)
}

fn metrics_token(folder: &Path) -> PathBuf {
    folder.join("prometheus/metrics_token")
}

/// Prometheus' configuration without metric relabelling.
#[must_use]
pub fn without_relabelling(text: &str) -> String {
    drop_block(text, |line| line.trim() == "metric_relabel_configs:")
}

/// Divides durations by `speed` in the files that [`write()`] wrote into `folder`: Prometheus' intervals, Alertmanager's waits, and in
/// rules the intervals, windows, offsets and waits. Above a speed of 1, removes `aliases.yml`, the rules that record series under
/// alternative names.
pub fn speed_up(folder: &Path, speed: u32) -> Result<()> {
    if speed == 1 {
        return Ok(());
    }
    let scrapes = folder.join("prometheus/prometheus.yml");
    let text = fs::read_to_string(&scrapes).with_context(|| format!("failed to read {}", scrapes.display()))?;
    let pace = Pace::of(&text, speed);
    edit(&scrapes, |text| pace.prometheus(text))?;
    let rules = folder.join("prometheus/rules");
    // Aliases repeat other series and no alert uses them, but they cause a third of the evaluation work.
    fs::remove_file(rules.join("aliases.yml")).context("failed to remove the aliases")?;
    edit_all(&rules, &|text| pace.rules(text))?;
    edit(&folder.join("alertmanager/alertmanager.yml"), |text| pace.alertmanager(text))
}

/// Writes `platforms/simulated.toml` into `folder` and returns its path. `secrets` is the folder of the secrets that the file names.
pub(crate) fn write_platforms(folder: &Path, ports: &Ports, secrets: &Path) -> Result<PathBuf> {
    let folder = folder.join("platforms");
    paths::ensure(&folder)?;
    let (source, copy) = (paths::root().join(SIMULATED), folder.join("simulated.toml"));
    let text = fs::read_to_string(&source).with_context(|| format!("failed to read {}", source.display()))?;
    fs::write(&copy, platforms(&text, ports, secrets)?).with_context(|| format!("failed to write {}", copy.display()))?;
    Ok(copy)
}

/// Replaces the simulator's two addresses, for browsers and for replicas in containers, with those of the local simulator, and the
/// containers' folder of secrets with the local one.
fn platforms(text: &str, ports: &Ports, secrets: &Path) -> Result<String> {
    let text = text.replace(&Ports::fixed(0).page(Port::ProviderSim)?, &ports.page(Port::ProviderSim)?);
    Ok(ports.localise(&text).replace("/run/vitrine", &secrets.display().to_string()))
}

/// The text of Prometheus' configuration with the addresses of this machine, and with the rules and the token that [`write()`] wrote into
/// `folder`. Jobs without a local process are removed.
#[must_use]
pub fn prometheus(text: &str, folder: &Path, ports: &Ports, replicas: u16, with_grafana: bool) -> String {
    // Local processes have no cAdvisor, and the services of the profiles `tracing` and `logs` run in containers only.
    let of_containers = ["cadvisor", "otel-collector", "tempo", "loki"];
    let mut text = of_containers.iter().fold(text.to_owned(), |text, job| drop_item(&text, &format!("job_name: {job}")));
    if !with_grafana {
        text = drop_item(&text, "job_name: grafana");
    }
    for number in replicas + 1..=MAX_REPLICAS {
        text = drop_target(&text, &Port::Backend(number).name());
    }
    let home = folder.join("prometheus").display().to_string();
    let token = metrics_token(folder).display().to_string();
    ports.localise(&text).replace("/etc/prometheus", &home).replace(METRICS_TOKEN, &token)
}

/// Replaces each `${NAME}` in a text with its value. Before version 3.0, Prometheus does not expand variables by default.
fn with_values(text: &str, variables: &[(&str, String)]) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

fn alertmanager(text: &str, folder: &Path, ports: &Ports) -> String {
    let home = folder.join("alertmanager").display().to_string();
    ports.localise(text).replace(ALERTMANAGER_SECRETS, &home)
}

/// Writes Alertmanager's secrets, which compose/make-secrets.sh writes for containers; every receiver is simulated.
fn write_receivers(folder: &Path, ports: &Ports) -> Result<()> {
    let slack = format!("{}/slack/services/simulated", ports.url(Port::ProviderSim)?);
    paths::write_secret(&folder.join("slack_api_url"), &slack)?;
    paths::write_secret(&folder.join("pagerduty_routing_key"), SIMULATED_ROUTING_KEY)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    paths::ensure(to)?;
    let entries = fs::read_dir(from).with_context(|| format!("failed to read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).with_context(|| format!("failed to copy {}", source.display()))?;
        }
    }
    Ok(())
}

fn edit(path: &Path, change: impl Fn(&str) -> String) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    fs::write(path, change(&text)).with_context(|| format!("failed to write {}", path.display()))
}

fn edit_all(folder: &Path, change: &dyn Fn(&str) -> String) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            edit_all(&path, change)?;
        } else if path.extension().is_some_and(|kind| kind == "yml" || kind == "yaml") {
            edit(&path, change)?;
        }
    }
    Ok(())
}

/// Removes one target, on a line of its own or in a `[…]` list.
fn drop_target(text: &str, target: &str) -> String {
    let text = drop_item(text, target);
    text.split_inclusive('\n').map(|line| drop_element(line, target)).collect()
}

fn drop_element(line: &str, target: &str) -> String {
    let Some((before, list, after)) =
        line.split_once('[').and_then(|(before, rest)| rest.split_once(']').map(|(list, after)| (before, list, after)))
    else {
        return line.to_owned();
    };
    let kept: Vec<&str> = list.split(',').map(str::trim).filter(|element| unquoted(element) != target).collect();
    format!("{before}[{}]{after}", kept.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
scrape_configs:
  # the application
  - job_name: backend
    static_configs:
      - targets: [backend-1:4001, 'backend-2:4002', backend-3:4003]
  - job_name: cadvisor
    static_configs:
      - targets: [cadvisor:8080]
  - job_name: grafana # dashboards

    static_configs:
      - targets: [grafana:3000]
rule_files: [/etc/prometheus/rules/*.yml]
";

    #[test]
    fn absent_services_are_not_scraped() {
        let text = prometheus(SAMPLE, Path::new("/here"), &Ports::fixed(2), 2, false);
        let expected = "\
scrape_configs:
  # the application
  - job_name: backend
    static_configs:
      - targets: [127.0.0.1:4001, '127.0.0.1:4002']
rule_files: [/here/prometheus/rules/*.yml]
";
        assert_eq!(text, expected);
    }

    #[test]
    fn only_relabelling_is_removed() {
        let text = "  - job_name: caddy\n    metric_relabel_configs:\n      - regex: \"a|\\\n          b\"\n        action: keep\n\n  - job_name: node\n";
        assert_eq!(without_relabelling(text), "  - job_name: caddy\n  - job_name: node\n");
    }

    #[test]
    fn present_services_are_scraped() {
        let text = prometheus(SAMPLE, Path::new("/here"), &Ports::fixed(3), 3, true);
        assert!(text.contains("127.0.0.1:4003"), "{text}");
        assert!(text.contains("job_name: grafana"), "{text}");
        assert!(text.contains("127.0.0.1:3001"), "{text}");
        assert!(!text.contains("cadvisor"), "{text}");
    }

    #[test]
    fn platforms_have_local_addresses_for_browsers_and_for_replicas() {
        let text = "issuer = \"http://localhost:4100/google\"\n\
                    discovery_url = \"http://provider-sim:4100/google/.well-known/openid-configuration\"\n\
                    client_secret_file = \"/run/vitrine/provider_sim_client_secret\"\n";
        let ports = Ports::any(1).unwrap();
        let number = ports.of(Port::ProviderSim).unwrap();
        let expected = format!(
            "issuer = \"http://localhost:{number}/google\"\n\
             discovery_url = \"http://127.0.0.1:{number}/google/.well-known/openid-configuration\"\n\
             client_secret_file = \"/here/secrets/provider_sim_client_secret\"\n"
        );
        assert_eq!(platforms(text, &ports, Path::new("/here/secrets")).unwrap(), expected);
    }

    #[test]
    fn a_target_with_its_own_line_is_removed_alone() {
        let text = "- targets:\n    - backend-2:4002\n    - 'backend-3:4003'\n";
        assert_eq!(drop_target(text, "backend-3:4003"), "- targets:\n    - backend-2:4002\n");
    }
}
