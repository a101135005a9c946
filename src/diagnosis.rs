//! Why a store refuses the service, for failures that an operator must mend: each has a sentence for the log and for readiness.
//!
//! `db` and `cache` recognise the causes in the errors of their clients. An outage that may end by itself has no cause here.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::CertificateError;

use crate::metrics::labels::Dependency;

/// Why a store refuses connections. No cause contains a value, such as a password or the name of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The certificate is signed by an authority that is not trusted.
    UnknownAuthority,
    /// The certificate has expired, or is not valid yet.
    Expired,
    /// The certificate is for other host names.
    OtherName,
    /// The certificate is invalid for another reason.
    BadCertificate,
    /// The store refuses the handshake.
    Handshake,
    /// The port does not answer in TLS.
    NoTls,
    /// The store accepts only TLS.
    NeedsTls,
    /// The store refuses the user or the password.
    Password,
    /// Postgres refuses the user, the address of the client or the database.
    Access,
    /// `DATABASE_URL` leads to a pooler, which refuses the settings of a session.
    Pooler,
    /// The server is a replica and accepts no changes.
    ReadOnly,
    /// The file with the certificates of authorities cannot be used.
    AuthorityFile,
    /// The file with the password cannot be used.
    PasswordFile,
}

impl Cause {
    /// The reason, and what to check.
    #[must_use]
    pub fn sentence(self, store: Dependency) -> String {
        let is_redis = store == Dependency::Redis;
        let [name, url, authority, file] = if is_redis {
            ["Redis", "REDIS_URL", "REDIS_CA_FILE", "REDIS_PASSWORD_FILE"]
        } else {
            ["Postgres", "DATABASE_URL", "sslrootcert in DATABASE_URL", "DATABASE_PASSWORD_FILE"]
        };
        match self {
            Self::UnknownAuthority => format!("the certificate of {name} is signed by an authority that is not trusted: check {authority}"),
            Self::Expired => format!("the certificate of {name} has expired or is not valid yet: renew it, and check the clocks"),
            Self::OtherName => format!("the certificate of {name} is for another host name: check the host in {url}"),
            Self::BadCertificate => format!("the certificate of {name} is invalid: check the certificate of the server"),
            Self::Handshake => {
                format!("{name} refuses the TLS handshake: check its TLS versions, and that it asks for no client certificate")
            }
            Self::NoTls => format!("{name} does not answer in TLS: check that the port in {url} expects TLS"),
            Self::NeedsTls if is_redis => {
                "Redis ends connections without an answer: if its port expects TLS, REDIS_URL must begin with rediss://".to_owned()
            }
            Self::NeedsTls => format!("{name} accepts only TLS: check sslmode in {url}"),
            Self::Password => format!("{name} refuses the user or the password: check {url} or {file}"),
            Self::Access => format!("{name} refuses the user, the address of this replica or the database: check {url} and pg_hba.conf"),
            Self::Pooler => "DATABASE_URL leads to a pooler: set DATABASE_DIRECT_URL to the address of Postgres itself".to_owned(),
            Self::ReadOnly => format!("{name} is a replica and accepts no changes: check that the host in {url} leads to the primary"),
            Self::AuthorityFile => format!("the certificates of {name}'s authority cannot be read: check {authority}"),
            Self::PasswordFile => format!("the password for {name} cannot be read: check {file}"),
        }
    }

    /// Whether the cause remains until somebody changes a setting. A failover ends by itself.
    #[must_use]
    pub fn is_lasting(self) -> bool {
        self != Self::ReadOnly
    }

    /// The cause in an error that contains an error of TLS.
    #[must_use]
    pub fn of_tls(error: &(dyn Error + 'static)) -> Option<Self> {
        find::<rustls::Error>(error).map(|error| match error {
            rustls::Error::InvalidCertificate(error) => Self::of_certificate(error),
            rustls::Error::InvalidMessage(_) => Self::NoTls,
            _ => Self::Handshake,
        })
    }

    fn of_certificate(error: &CertificateError) -> Self {
        use CertificateError as E;
        match error {
            // A signature is wrong if the authority has the same name as a trusted one, but another key.
            E::UnknownIssuer | E::BadSignature => Self::UnknownAuthority,
            E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } => Self::Expired,
            E::NotValidForName | E::NotValidForNameContext { .. } => Self::OtherName,
            _ => Self::BadCertificate,
        }
    }
}

/// The first error of this type among an error and its sources.
pub fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>().or_else(|| error.downcast_ref::<Arc<T>>().map(Arc::as_ref)) {
            return Some(found);
        }
        // `source` of these two skips the error that they contain.
        next = if let Some(io) = error.downcast_ref::<io::Error>() {
            io.get_ref().map(|inner| inner as &(dyn Error + 'static))
        } else if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
            Some(&**shared as &(dyn Error + 'static))
        } else {
            error.source()
        };
    }
    None
}
