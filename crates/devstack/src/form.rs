//! The form of a stack: the demo, or the service behind a domain as docs/OPERATIONS.md sets it up. This module lists their differences;
//! `stack` and `ports` apply them.

/// The form of a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Like `docker compose up` without an `.env`: any host, plain HTTP, metrics without a token.
    #[default]
    Demo,
    /// Behind a host name: HTTPS, Secure cookies, a token for the metrics.
    Production,
}

impl Form {
    /// The host name of the site; `None` if the edge serves any host. Every client resolves `localhost` without a name server, and Caddy
    /// certifies it with its own authority (`tls internal`) by default.
    #[must_use]
    pub fn site(self) -> Option<&'static str> {
        match self {
            Self::Demo => None,
            Self::Production => Some("localhost"),
        }
    }
}
