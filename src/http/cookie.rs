//! The attributes that all cookies of the service share. Scripts cannot read these cookies, browsers do not send them with POST forms of
//! other sites, and behind TLS no other host can set them. Each feature defines the values of its cookies.

use axum_extra::extract::cookie::{Cookie, SameSite};

use crate::config::Config;

/// The full name of a cookie. Behind TLS the prefix `__Host-` binds the cookie to this host (draft-ietf-httpbis-rfc6265bis).
#[must_use]
pub fn name(config: &Config, base: &str) -> String {
    let prefix = if config.secure() { "__Host-" } else { "" };
    format!("{prefix}{base}")
}

/// Builds a cookie that lasts for the browser session unless the caller sets an expiry. `SameSite` is `Lax` and not `Strict`, because the
/// browser must send the cookies when a platform redirects it back after a sign-in.
#[must_use]
pub fn cookie(config: &Config, base: &str, value: String) -> Cookie<'static> {
    Cookie::build((name(config, base), value)).path("/").http_only(true).secure(config.secure()).same_site(SameSite::Lax).build()
}
