//! The tools for operators, which run beside the service: the address of each for browsers, and the one for replicas.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use url::Url;

/// A tool for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// Grafana: the dashboards.
    Grafana,
    /// Prometheus: the metrics and the rules.
    Prometheus,
    /// Alertmanager: alerts and silences.
    Alertmanager,
    /// The inbox of the mail sink.
    Mail,
    /// The simulator of platforms.
    ProviderSim,
    /// The runbooks.
    Runbooks,
}

/// The addresses of the tools.
#[derive(Args, Clone, Debug)]
pub struct ToolUrls {
    /// URL of Grafana in a browser; the operator's page lists the tools that have a URL
    #[arg(long, env = "GRAFANA_URL", value_name = "GRAFANA_URL")]
    pub grafana_url: Option<Url>,
    /// URL of Prometheus in a browser
    #[arg(long, env = "PROMETHEUS_URL", value_name = "PROMETHEUS_URL")]
    pub prometheus_url: Option<Url>,
    /// URL of Alertmanager in a browser
    #[arg(long, env = "ALERTMANAGER_URL", value_name = "ALERTMANAGER_URL")]
    pub alertmanager_url: Option<Url>,
    /// URL of the mail sink in a browser
    #[arg(long, env = "MAIL_URL", value_name = "MAIL_URL")]
    pub mail_url: Option<Url>,
    /// URL of the simulator of platforms in a browser
    #[arg(long, env = "PROVIDER_SIM_URL", value_name = "PROVIDER_SIM_URL")]
    pub provider_sim_url: Option<Url>,
    /// URL of the runbooks in a browser
    #[arg(long, env = "RUNBOOKS_URL", value_name = "RUNBOOKS_URL")]
    pub runbooks_url: Option<Url>,
    /// URLs at which replicas reach tools, if browsers need others: such as grafana=http://grafana:3000, comma-separated
    #[arg(long, env = "TOOL_ADDRESSES", value_name = "TOOL_ADDRESSES", value_delimiter = ',')]
    pub tool_addresses: Vec<ToolAddress>,
}

/// The URL at which replicas reach a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolAddress {
    tool: Tool,
    url: Url,
}

impl FromStr for ToolAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tool, url) = text.trim().split_once('=').ok_or("must be a tool and its URL, such as grafana=http://grafana:3000")?;
        let url = Url::parse(url).map_err(|error| format!("{tool} must have a URL: {error}"))?;
        Ok(Self { tool: Tool::from_str(tool, false)?, url })
    }
}

impl ToolUrls {
    /// The URL of a tool for browsers, if it has one.
    #[must_use]
    pub fn link(&self, tool: Tool) -> Option<&Url> {
        match tool {
            Tool::Grafana => self.grafana_url.as_ref(),
            Tool::Prometheus => self.prometheus_url.as_ref(),
            Tool::Alertmanager => self.alertmanager_url.as_ref(),
            Tool::Mail => self.mail_url.as_ref(),
            Tool::ProviderSim => self.provider_sim_url.as_ref(),
            Tool::Runbooks => self.runbooks_url.as_ref(),
        }
    }

    /// The URL at which replicas reach a tool: its URL in `TOOL_ADDRESSES`, or else its [`link`](Self::link).
    #[must_use]
    pub fn address(&self, tool: Tool) -> Option<&Url> {
        let own = self.tool_addresses.iter().find(|address| address.tool == tool);
        own.map(|address| &address.url).or_else(|| self.link(tool))
    }

    /// Refuses URLs that are not http or https, because the operator's page links to them, and URLs that contain a user or a password.
    ///
    /// # Errors
    /// A message that names the variable and its requirement.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_site =
            |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty() && url.password().is_none();
        let links = [
            ("GRAFANA_URL", &self.grafana_url),
            ("PROMETHEUS_URL", &self.prometheus_url),
            ("ALERTMANAGER_URL", &self.alertmanager_url),
            ("MAIL_URL", &self.mail_url),
            ("PROVIDER_SIM_URL", &self.provider_sim_url),
            ("RUNBOOKS_URL", &self.runbooks_url),
        ];
        if let Some((name, _)) = links.iter().find(|(_, url)| url.as_ref().is_some_and(|url| !is_site(url))) {
            return Err(format!("{name} must be an http or https URL without a user"));
        }
        if self.tool_addresses.iter().any(|address| !is_site(&address.url)) {
            return Err("TOOL_ADDRESSES must have http or https URLs without a user".to_owned());
        }
        Ok(())
    }
}
