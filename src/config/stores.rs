//! The variables of Postgres and Redis: the rules for their URLs, and the files with passwords and authorities. `db` and `cache` connect.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{Config, Environment};

/// Passwords that examples use. Production rejects them.
const KNOWN_PASSWORDS: [&str; 6] = ["vitrine", "postgres", "password", "secret", "changeme", "admin"];
/// The names that sqlx accepts for `sslrootcert`.
const ROOT_PARAMETERS: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];

/// A file with the password of a store. It is read again for new connections, because clouds replace passwords while replicas run.
#[derive(Clone, Debug)]
pub struct PasswordFile(PathBuf);

impl PasswordFile {
    /// Reads the password.
    ///
    /// # Errors
    /// The requirement that the file does not meet.
    pub fn read(&self) -> Result<SecretString, String> {
        let path = self.0.display();
        let text = std::fs::read_to_string(&self.0).map_err(|error| format!("must be a readable file; {path}: {error}"))?;
        let password = text.trim_end();
        if password.is_empty() { Err(format!("must contain a password; {path} is empty")) } else { Ok(password.into()) }
    }
}

/// Reads a PEM file with the certificates of authorities.
///
/// # Errors
/// The requirement that the file does not meet.
pub fn authorities(path: &Path) -> Result<Vec<u8>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("must be a readable file; {}: {error}", path.display()))?;
    check_authorities(&pem).map_err(|requirement| format!("{requirement}; check {}", path.display()))?;
    Ok(pem)
}

fn check_authorities(pem: &[u8]) -> Result<(), &'static str> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "must contain only valid PEM")?;
        roots.add(certificate).map_err(|_| "must contain only certificates of authorities")?;
    }
    if roots.is_empty() { Err("must contain at least one certificate in PEM format") } else { Ok(()) }
}

impl Config {
    /// The file with the password of Postgres, if there is one.
    #[must_use]
    pub fn database_password(&self) -> Option<PasswordFile> {
        self.database_password_file.clone().map(PasswordFile)
    }

    /// The file with the password of Redis, if there is one.
    #[must_use]
    pub fn redis_password(&self) -> Option<PasswordFile> {
        self.redis_password_file.clone().map(PasswordFile)
    }

    pub(super) fn check_stores(&self) -> Result<(), String> {
        for (name, url) in [("DATABASE_URL", Some(&self.database_url)), ("DATABASE_DIRECT_URL", self.database_direct_url.as_ref())] {
            if let Some(url) = url {
                let url = self.store_url(name, url, ["postgres", "postgresql"], "DATABASE_PASSWORD_FILE", self.database_password())?;
                check_database(name, &url)?;
            }
        }
        let redis = self.store_url("REDIS_URL", &self.redis_url, ["redis", "rediss"], "REDIS_PASSWORD_FILE", self.redis_password())?;
        if redis.fragment().is_some() {
            return Err("REDIS_URL must not have a part after #: certificates are always checked".to_owned());
        }
        match &self.redis_ca_file {
            Some(_) if redis.scheme() != "rediss" => Err("REDIS_CA_FILE requires a REDIS_URL that begins with rediss://".to_owned()),
            Some(path) => authorities(path).map(drop).map_err(|requirement| format!("REDIS_CA_FILE {requirement}")),
            None => Ok(()),
        }
    }

    /// Validates the parts that the URLs of both stores have: the scheme, and the password in the URL or in the file.
    fn store_url(
        &self,
        name: &str,
        url: &SecretString,
        schemes: [&str; 2],
        file_name: &str,
        file: Option<PasswordFile>,
    ) -> Result<Url, String> {
        let url = Url::parse(url.expose_secret()).map_err(|error| format!("{name} must be a URL: {error}"))?;
        if !schemes.contains(&url.scheme()) {
            return Err(format!("{name} must be a URL that starts with {}:// or {}://", schemes[0], schemes[1]));
        }
        if file.is_some() && url.password().is_some() {
            return Err(format!("{name} must not contain a password if {file_name} is set"));
        }
        let written = file.map(|file| file.read().map_err(|requirement| format!("{file_name} {requirement}"))).transpose()?;
        let password = written.as_ref().map(ExposeSecret::expose_secret).or(url.password());
        if self.environment == Environment::Production && password.is_some_and(|password| KNOWN_PASSWORDS.contains(&password)) {
            let name = if written.is_some() { file_name } else { name };
            return Err(format!("{name} must have a password of your own in production: this one is used in examples"));
        }
        Ok(url)
    }
}

/// Validates the parameters of TLS: a certificate of an authority that nothing checks would give false confidence.
fn check_database(name: &str, url: &Url) -> Result<(), String> {
    let parameter =
        |names: &[&str]| url.query_pairs().filter(|(key, _)| names.contains(&&**key)).last().map(|(_, value)| value.into_owned());
    let mode = parameter(&["sslmode", "ssl-mode"]);
    let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
    if mode.as_ref().is_some_and(|mode| !modes.contains(&mode.as_str())) {
        return Err(format!("{name}: sslmode must be one of {}", modes.join(", ")));
    }
    let Some(root) = parameter(&ROOT_PARAMETERS) else { return Ok(()) };
    if !mode.is_some_and(|mode| mode.starts_with("verify-")) {
        return Err(format!("{name}: sslrootcert requires sslmode=verify-full or verify-ca: other modes check no certificate"));
    }
    let text = root.trim();
    // As in sqlx: a certificate instead of a path.
    let checked = if text.starts_with("-----BEGIN") && text.ends_with("-----") {
        check_authorities(text.as_bytes()).map_err(str::to_owned)
    } else {
        authorities(Path::new(&root)).map(drop)
    };
    checked.map_err(|requirement| format!("{name}: sslrootcert {requirement}"))
}
