//! Starts the scripts with which the images of Prometheus and Alertmanager begin, on copies of the configuration, and checks what they
//! write. The programs themselves do not start.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use devstack::paths;
use devstack::process::{capture_ok, task};
use devstack::report::Outcome;
use devstack::tools::{AMTOOL, PROMTOOL, Tool};
use rule_tools::checks::check;

/// Values of the variables in `deploy/ecs/containers/prometheus.json`.
const OF_PROMETHEUS: [(&str, &str); 4] =
    [("NAME", "vitrine"), ("NAMESPACE", "vitrine.internal"), ("DOMAIN", "vitrine.example"), ("METRICS_TOKEN", "a-token-of-a-check")];
/// Values of the variables in `deploy/ecs/containers/alertmanager.json`. Some contain characters that mean something to sed.
const OF_ALERTMANAGER: [(&str, &str); 7] = [
    ("SMTP_HOST", "smtp.example.com:587"),
    ("SMTP_USER", "on|call&co"),
    ("MAIL_DOMAIN", "vitrine.example.com"),
    ("SMTP_PASSWORD", "a-password"),
    ("SLACK_API_URL", "https://hooks.example/services/x"),
    ("PAGERDUTY_ROUTING_KEY", "00000000000000000000000000000000"),
    ("DEAD_MAN_URL", "https://dead-man.example/ping?team=a&id=1|2"),
];

/// The configuration of Prometheus: it must load, with the rules, and no target of Compose may be left.
pub fn prometheus(deployment: &Path) -> Result<Outcome> {
    let image = Image { name: "prometheus", run: "/run/vitrine", program: "PROMETHEUS", variables: &OF_PROMETHEUS };
    image.check(
        deployment,
        &PROMTOOL,
        &["check", "config"],
        &["backend-1", "caddy:", "-exporter:", "cadvisor", "otel-collector", "tempo", "loki"],
    )
}

/// The configuration of Alertmanager: it must load, and no simulated receiver may be left.
pub fn alertmanager(deployment: &Path) -> Result<Outcome> {
    let image = Image { name: "alertmanager", run: "/run/alertmanager", program: "ALERTMANAGER", variables: &OF_ALERTMANAGER };
    image.check(deployment, &AMTOOL, &["check-config"], &["# local", "provider-sim:", "maildev:"])
}

/// One image of `deploy/ecs/images/Dockerfile`.
struct Image {
    /// Its name, that of its folder in `monitoring/`, and that of its folder in `/etc`.
    name: &'static str,
    /// The folder that its script writes to.
    run: &'static str,
    /// The variable that replaces its program.
    program: &'static str,
    variables: &'static [(&'static str, &'static str)],
}

impl Image {
    /// Checks the configuration that the script writes. `foreign` are texts of Compose that it must not contain.
    fn check(&self, deployment: &Path, tool: &Tool, arguments: &[&str], foreign: &[&str]) -> Result<Outcome> {
        let folder = paths::temporary("ecs")?;
        let (etc, run) = (folder.path().join("etc"), folder.path().join("run"));
        let root = paths::root();
        for (from, to) in
            [(root.join("monitoring").join(self.name), etc.clone()), (deployment.join("images").join(self.name), etc.join("ecs"))]
        {
            paths::ensure(to.parent().unwrap_or(&to))?;
            capture_ok(task("cp").arg("-R").arg(&from).arg(&to))?;
        }
        paths::ensure(&run)?;
        capture_ok(&mut self.script(&etc, &run))?;
        let file = run.join(format!("{}.yml", self.name));
        let written = fs::read_to_string(&file).context("the script wrote no configuration")?;
        let lines = written.lines().filter(|line| !line.trim_start().starts_with('#'));
        for line in lines {
            ensure!(!foreign.iter().any(|text| line.contains(text)), "an address of Compose is left: {}", line.trim());
        }
        // The paths in the image are those of this copy here.
        let etc_in_image = format!("/etc/{}", self.name);
        let local = written.replace(&etc_in_image, &etc.display().to_string()).replace(self.run, &run.display().to_string());
        fs::write(&file, local)?;
        check(task(tool.path()?).args(arguments).arg(file))
    }

    fn script(&self, etc: &Path, run: &Path) -> Command {
        let mut script = task("sh");
        script.arg(etc.join("ecs/start.sh"));
        script.envs(self.variables.iter().copied()).env("CONFIGURATION", etc).env("RUN_FOLDER", run).env(self.program, "true");
        script
    }
}
