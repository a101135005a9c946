//! The form of a stack: the demo, or the service behind a domain as docs/OPERATIONS.md sets it up. This module lists their differences;
//! `stack` and `ports` apply them.

/// How a stack is configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As `docker compose up` without an `.env`: any host, plain HTTP, metrics without a token.
    #[default]
    Demo,
    /// Behind a host name: HTTPS, Secure cookies, a token for the metrics.
    Production,
}

/// The option of verbs that start a stack in either form.
#[derive(clap::Args)]
pub struct Choice {
    /// Run the stack as behind a domain: a host name with HTTPS, Secure cookies, a token for the metrics.
    #[arg(long)]
    production: bool,
}

impl Choice {
    /// The selected form.
    pub fn form(&self) -> Form {
        if self.production { Form::Production } else { Form::Demo }
    }
}

impl Form {
    /// The host name of the site. Every client resolves this one without a name server, and Caddy certifies it with its own authority (`tls
    /// internal`) by default. `None` where any host is served.
    pub fn site(self) -> Option<&'static str> {
        match self {
            Self::Demo => None,
            Self::Production => Some("localhost"),
        }
    }
}
