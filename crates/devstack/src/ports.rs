//! Ports: the addresses on this machine of the services that compose's files name. `ports/port` lists the services; `stack` and `stores`
//! start the programs.

mod port;

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

use crate::form::Form;
use crate::listeners::holder;
use crate::settings::Settings;

pub use port::Port;

/// The largest number of replicas that the monitoring's configuration lists.
pub const MAX_REPLICAS: u16 = 3;

/// The port of each service on this machine.
pub struct Ports {
    table: Vec<(Port, u16)>,
    form: Form,
    has_tracing: bool,
}

impl Ports {
    /// The default ports of `up`.
    #[must_use]
    pub fn fixed(replicas: u16) -> Self {
        let table = Port::all(replicas).into_iter().map(|port| (port, port.fixed())).collect();
        Self { table, form: Form::default(), has_tracing: false }
    }

    /// The ports of `up`: those that the settings contain, else the defaults.
    pub(crate) fn configured(replicas: u16, settings: &Settings) -> Result<Self> {
        let number = |port: Port| match port.variable().and_then(|name| Some((name, settings.get(name)?))) {
            Some((name, value)) => value.parse().with_context(|| format!("{name}={value}: must be a port")),
            None => Ok(port.fixed()),
        };
        let table = Port::all(replicas).into_iter().map(|port| Ok((port, number(port)?))).collect::<Result<_>>()?;
        Ok(Self { table, form: Form::default(), has_tracing: false })
    }

    /// Ports that are free now, for a stack beside that of `up`.
    pub fn any(replicas: u16) -> Result<Self> {
        let all = Port::all(replicas);
        let numbers = free(all.len())?;
        Ok(Self { table: all.into_iter().zip(numbers).collect(), form: Form::default(), has_tracing: false })
    }

    /// The same ports without a service that does not run.
    #[must_use]
    pub fn without(mut self, absent: Port) -> Self {
        self.table.retain(|(port, _)| *port != absent);
        self
    }

    /// The same ports for a stack without an edge: clients use the first replica in its place.
    pub fn without_edge(mut self) -> Result<Self> {
        let replica = self.of(Port::Backend(1))?;
        self.table.retain(|(port, _)| *port != Port::Edge);
        self.table.push((Port::Edge, replica));
        Ok(self)
    }

    /// The same ports for a stack of this form.
    #[must_use]
    pub fn in_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// The same ports for a stack with traces: with a collector, and with stores of traces and logs.
    #[must_use]
    pub fn with_tracing(self) -> Self {
        Self { has_tracing: true, ..self }
    }

    /// Whether the stack has traces.
    #[must_use]
    pub fn has_tracing(&self) -> bool {
        self.has_tracing
    }

    /// The form of the stack.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The port of a service.
    pub fn of(&self, wanted: Port) -> Result<u16> {
        self.table
            .iter()
            .find_map(|(port, number)| (*port == wanted).then_some(*number))
            .with_context(|| format!("{wanted:?} has no port here"))
    }

    /// `127.0.0.1:<port>` of a service.
    pub fn address(&self, port: Port) -> Result<String> {
        Ok(format!("127.0.0.1:{}", self.of(port)?))
    }

    /// `http://127.0.0.1:<port>` of a service; for an edge that serves a host name, its `https` URL.
    pub fn url(&self, port: Port) -> Result<String> {
        if let Some(site) = self.site(port)? {
            return Ok(site);
        }
        Ok(format!("http://{}", self.address(port)?))
    }

    /// The ports on which another program listens.
    pub(crate) fn taken(&self) -> Vec<(Port, u16)> {
        self.used().filter(|(_, number)| !is_free(*number)).collect()
    }

    /// The number of ports.
    pub(crate) fn count(&self) -> usize {
        self.used().count()
    }

    fn used(&self) -> impl Iterator<Item = (Port, u16)> {
        let is_used = |port: &Port| self.has_tracing || !port.is_of_tracing();
        self.table.iter().copied().filter(move |(port, _)| is_used(port))
    }

    /// Fails with the names of the ports on which another program listens, and of those programs.
    pub fn ensure_free(&self) -> Result<()> {
        self.ensure_free_if(|_| true)
    }

    /// As [`Self::ensure_free`], for the ports that `is_used` selects.
    pub(crate) fn ensure_free_if(&self, is_used: impl Fn(Port) -> bool) -> Result<()> {
        let mut taken = self.taken();
        taken.retain(|(port, _)| is_used(*port));
        let line = |(port, number): &(Port, u16)| {
            let holder = holder(*number).map_or_else(|| "another program".to_owned(), |holder| holder.to_string());
            format!("port {number} ({port:?}) is in use by {holder}")
        };
        if !taken.is_empty() {
            bail!("{}", taken.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        Ok(())
    }

    /// `http://localhost:<port>` of a service with a page, for people and browsers; for an edge that serves a host name, its `https` URL.
    pub fn page(&self, port: Port) -> Result<String> {
        if let Some(site) = self.site(port)? {
            return Ok(site);
        }
        Ok(format!("http://localhost:{}", self.of(port)?))
    }

    /// `https://<name>:<port>` for an edge that serves a host name.
    fn site(&self, port: Port) -> Result<Option<String>> {
        let name = self.form.site().filter(|_| port == Port::Edge);
        name.map(|name| Ok(format!("https://{name}:{}", self.of(Port::EdgeTls)?))).transpose()
    }

    /// Compose's variables with the URLs of pages, and their values for this stack. Grafana has a URL even if it does not run.
    pub fn pages(&self) -> Result<[(&'static str, String); 7]> {
        let grafana = self.page(Port::Grafana).or_else(|_| Self::fixed(0).page(Port::Grafana))?;
        Ok([
            ("PUBLIC_URL", self.page(Port::Edge)?),
            ("RUNBOOKS_URL", self.page(Port::Runbooks)?),
            ("GRAFANA_URL", grafana),
            ("PROMETHEUS_URL", self.page(Port::Prometheus)?),
            ("ALERTMANAGER_URL", self.page(Port::Alertmanager)?),
            ("MAIL_URL", self.page(Port::MailPage)?),
            ("PROVIDER_SIM_URL", self.page(Port::ProviderSim)?),
        ])
    }

    /// As [`Self::pages`], without the service itself, and without Grafana if it does not run.
    pub(crate) fn tools(&self) -> Result<Vec<(&'static str, String)>> {
        let has_grafana = self.of(Port::Grafana).is_ok();
        let is_tool = |name: &str| name != "PUBLIC_URL" && (name != "GRAFANA_URL" || has_grafana);
        Ok(self.pages()?.into_iter().filter(|(name, _)| is_tool(name)).collect())
    }

    /// Replaces the default addresses of `up` in a document with the addresses of this stack.
    #[must_use]
    pub fn replace_defaults(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (port, number) in &self.table {
            for host in ["localhost", "127.0.0.1"] {
                text = replace_word(&text, &format!("{host}:{}", port.fixed()), &format!("{host}:{number}"));
            }
        }
        text
    }

    /// Replaces every `service:port` in a text of compose's configuration with the service's address on this machine.
    #[must_use]
    pub(crate) fn localise(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (port, number) in &self.table {
            text = replace_word(&text, &port.name(), &format!("127.0.0.1:{number}"));
        }
        text
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Replaces `from` where it is not a part of a longer name or number.
fn replace_word(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, found) = rest.split_at(at);
        let after = &found[from.len()..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
        let word = !before.ends_with(is_part) && !after.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(before);
        out.push_str(if word { to } else { from });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Distinct loopback ports that are free at this moment.
pub fn free(count: usize) -> Result<Vec<u16>> {
    // All listeners stay open until the last port is known, so that no port is returned twice.
    let listeners = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<Vec<_>, _>>()
        .context("no free port on 127.0.0.1")?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn service_names_become_addresses_of_this_machine() {
        let text = "- targets: ['backend-1:4001', 'backend-3:4003']\nurl: http://grafana:3000/x\n\
                    smarthost: maildev:1025\n";
        let expected = "- targets: ['127.0.0.1:4001', '127.0.0.1:4003']\n\
                        url: http://127.0.0.1:3001/x\nsmarthost: 127.0.0.1:1025\n";
        assert_eq!(Ports::fixed(3).localise(text), expected);
    }

    #[test]
    fn only_whole_names_are_replaced() {
        let text = "my-redis:6379 redis:63790 postgres-exporter:9187 x.postgres:5432";
        let expected = "my-redis:6379 redis:63790 127.0.0.1:19187 x.postgres:5432";
        assert_eq!(Ports::fixed(1).localise(text), expected);
    }

    #[test]
    fn no_two_services_share_a_fixed_port() {
        let ports = Ports::fixed(MAX_REPLICAS);
        let numbers: BTreeSet<u16> = ports.table.iter().map(|(_, number)| *number).collect();
        assert_eq!(numbers.len(), ports.table.len());
    }

    #[test]
    fn an_edge_that_serves_a_host_name_has_an_https_url() {
        let ports = Ports::fixed(1).in_form(Form::Production);
        assert_eq!(ports.url(Port::Edge).unwrap(), "https://localhost:8443");
        assert_eq!(ports.page(Port::Edge).unwrap(), "https://localhost:8443");
        assert_eq!(ports.address(Port::Edge).unwrap(), "127.0.0.1:8080");
        assert_eq!(ports.url(Port::Prometheus).unwrap(), "http://127.0.0.1:9090");
    }

    #[test]
    fn the_readme_lists_the_pages_that_up_prints() {
        let readme = std::fs::read_to_string(crate::paths::root().join("README.md")).unwrap();
        let ports = Ports::fixed(MAX_REPLICAS);
        let edge = ports.page(Port::Edge).unwrap();
        let pages = ports.pages().unwrap().map(|(_, page)| page);
        for page in pages.into_iter().chain([format!("{edge}/api/docs/"), format!("{edge}/operator")]) {
            assert!(readme.contains(&format!("| {page} |")), "README.md must list {page}");
        }
    }

    #[test]
    fn tools_that_do_not_run_have_no_url() {
        let names = |ports: Ports| ports.tools().unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(Ports::fixed(1)).len(), 6);
        let without = names(Ports::fixed(1).without(Port::Grafana));
        assert!(without.len() == 5 && !without.contains(&"GRAFANA_URL"), "{without:?}");
    }

    #[test]
    fn without_an_edge_clients_use_the_first_replica() {
        let ports = Ports::fixed(1).without_edge().unwrap();
        assert_eq!(ports.page(Port::Edge).unwrap(), "http://localhost:4001");
    }

    #[test]
    fn the_env_file_of_compose_sets_ports() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        let of = |port| Ports::configured(1, &Settings::read(&file)?).and_then(|ports| ports.of(port));
        assert_eq!(of(Port::Runbooks).unwrap(), 3002);
        std::fs::write(&file, "# mine\nRUNBOOKS_PORT=4002 # moved\nMAIL_PORT=\nexport GRAFANA_PORT='4001'\nBACKEND_1_PORT=5001\n").unwrap();
        let wanted = [Port::Runbooks, Port::MailPage, Port::Grafana, Port::Backend(1)];
        assert_eq!(wanted.map(|port| of(port).unwrap()), [4002, 1080, 4001, 5001]);
        std::fs::write(&file, "RUNBOOKS_PORT=many\n").unwrap();
        assert!(of(Port::Runbooks).unwrap_err().to_string().contains("RUNBOOKS_PORT=many"));
    }

    #[test]
    fn a_taken_port_is_named_with_its_service() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let number = listener.local_addr().unwrap().port();
        let ports = Ports { table: vec![(Port::Prometheus, number)], form: Form::Demo, has_tracing: false };
        let error = ports.ensure_free().unwrap_err().to_string();
        assert!(error.contains(&format!("port {number} (Prometheus)")), "{error}");
        assert!(error.ends_with(&format!("(process {})", std::process::id())), "{error}");
        drop(listener);
        ports.ensure_free().unwrap();
    }
}
