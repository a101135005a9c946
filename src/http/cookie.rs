//! What the cookies of the service have in common: no script reads them, no other site's form sends them, and behind TLS
//! no other host can set them. What stands in one is its feature's.

use axum_extra::extract::cookie::{Cookie, SameSite};

use crate::config::Config;

/// The name of a cookie. Behind TLS it binds the cookie to this host (draft-ietf-httpbis-rfc6265bis, `__Host-`).
#[must_use]
pub fn name(config: &Config, base: &str) -> String {
    let prefix = if config.secure() { "__Host-" } else { "" };
    format!("{prefix}{base}")
}

/// A cookie that ends with the browser unless it is told otherwise. Lax, because a browser comes back from a platform by a link.
#[must_use]
pub fn cookie(config: &Config, base: &str, value: String) -> Cookie<'static> {
    Cookie::build((name(config, base), value)).path("/").http_only(true).secure(config.secure()).same_site(SameSite::Lax).build()
}
