//! The form of a stack: the demo, or the service behind a domain as docs/OPERATIONS.md sets it up. What differs between the
//! two is listed here; `stack` and `ports` apply it.

/// How a stack is configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As `docker compose up` is without an `.env`: any host, plain HTTP, metrics without a token.
    #[default]
    Demo,
    /// Behind a name: HTTPS, Secure cookies, a token for the metrics.
    Production,
}

/// The option of verbs that start a stack in either form.
#[derive(clap::Args)]
pub struct Choice {
    /// As behind a domain: a name with HTTPS, Secure cookies, a token for the metrics.
    #[arg(long)]
    production: bool,
}

impl Choice {
    /// The form that is asked for.
    pub fn form(&self) -> Form {
        if self.production { Form::Production } else { Form::Demo }
    }
}

impl Form {
    /// The name of the site. Every client resolves this one without a name server, and Caddy certifies it by its own authority
    /// (`tls internal`) without being asked to. `None` where any host is served.
    pub fn site(self) -> Option<&'static str> {
        match self {
            Self::Demo => None,
            Self::Production => Some("localhost"),
        }
    }
}
