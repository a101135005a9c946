//! Configuration: every variable with its type, default and effect. The comments on the fields are the text of `provider-sim --help`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use url::Url;

use crate::knobs::Knobs;
use crate::platform::Platform;

/// The configuration of a simulator. [`Config::default`] is for tests: it listens on a free port of the loopback interface.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "LISTEN_ADDRESS", value_name = "LISTEN_ADDRESS", default_value = "127.0.0.1:4100")]
    pub listen_address: SocketAddr,
    /// URL for browsers, and base of the issuers; default: `http://localhost:{port}`, or the listen address if it is external or has port 0
    #[arg(long, env = "PUBLIC_URL", value_name = "PUBLIC_URL", value_parser = address)]
    pub public_url: Option<Url>,
    /// Client ID under which Vitrine is registered on every platform
    #[arg(long, env = "CLIENT_ID", value_name = "CLIENT_ID", default_value = "vitrine")]
    pub client_id: String,
    /// Client secret of Vitrine
    #[arg(long, env = "CLIENT_SECRET", value_name = "CLIENT_SECRET", default_value = "simulated", hide_env_values = true)]
    pub client_secret: String,
    /// A file with the client secret; replaces `CLIENT_SECRET`
    #[arg(long, env = "CLIENT_SECRET_FILE", value_name = "CLIENT_SECRET_FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// Base of redirect URIs; a platform's only redirect URI is `{CALLBACK_BASE}/{platform}/callback`
    #[arg(long, env = "CALLBACK_BASE", value_name = "CALLBACK_BASE", default_value = "http://localhost:8080/api/oauth", value_parser = address)]
    pub callback_base: Url,
    /// A JSON file with initial knobs: `{"google": {"latency_ms": 300}}`
    #[arg(long, env = "KNOBS_FILE", value_name = "KNOBS_FILE")]
    pub knobs_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        let callback_base = Url::parse("http://localhost:8080/api/oauth");
        Self {
            listen_address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            public_url: None,
            client_id: "vitrine".to_owned(),
            client_secret: "simulated".to_owned(),
            client_secret_file: None,
            callback_base: callback_base.expect("the address is well formed"),
            knobs_file: None,
        }
    }
}

impl Config {
    /// Sets the public URL to localhost, unless `PUBLIC_URL` is set, the listen address is external or the port is 0.
    #[must_use]
    pub fn for_this_machine(mut self) -> Self {
        let (ip, port) = (self.listen_address.ip(), self.listen_address.port());
        if self.public_url.is_none() && port != 0 && (ip.is_loopback() || ip.is_unspecified()) {
            self.public_url = Url::parse(&format!("http://localhost:{port}")).ok();
        }
        self
    }

    /// The client secret: the content of `CLIENT_SECRET_FILE` if that is set, otherwise `CLIENT_SECRET`.
    pub(crate) fn secret(&self) -> io::Result<String> {
        let Some(path) = &self.client_secret_file else { return Ok(self.client_secret.clone()) };
        let refuse =
            |reason: String| io::Error::other(format!("CLIENT_SECRET_FILE must be a file with a secret; {}: {reason}", path.display()));
        let secret = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?.trim_end().to_owned();
        if secret.is_empty() { Err(refuse("it is empty".to_owned())) } else { Ok(secret) }
    }

    /// The initial knobs by platform, read from `KNOBS_FILE` and checked. Empty if `KNOBS_FILE` is not set.
    pub(crate) fn knobs(&self) -> io::Result<BTreeMap<Platform, Knobs>> {
        let Some(path) = &self.knobs_file else { return Ok(BTreeMap::new()) };
        let refuse =
            |reason: String| io::Error::other(format!("KNOBS_FILE must be a file with knobs of platforms; {}: {reason}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let all: BTreeMap<Platform, Knobs> = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        for (platform, knobs) in &all {
            knobs.check(*platform).map_err(|reason| refuse(format!("{}: {reason}", platform.name())))?;
        }
        Ok(all)
    }
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("must be a URL: {error}"))?;
    let plain = matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.query().is_none() && url.fragment().is_none();
    if plain { Ok(url) } else { Err("must be an http or https URL without query and fragment".to_owned()) }
}
