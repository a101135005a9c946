//! Cross-site request protection: one rule decides which pages may call the API and Socket.IO with a user's cookies.
//!
//! The service may have several host names. A page may call the origin that it was loaded from. Pages of trusted origins (`PUBLIC_URL`,
//! `SOCKET_ORIGINS`) may call the service, too. A request with neither `Origin` nor `Sec-Fetch-Site` is allowed: it cannot come from
//! another site's page, because browsers send `Origin` with the unsafe requests and websocket handshakes of such a page.
//!
//! tower-http implements the rule. It evaluates `Sec-Fetch-Site`; without that header, it compares `Origin` with `Host`. Either way, a
//! trusted `Origin` is sufficient.

use std::convert::Infallible;
use std::future::ready;

use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, Method, Request, Uri};
use axum::response::{IntoResponse, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::csrf::{ConfigError, CsrfLayer, ProtectionError};

use super::error::{ApiError, Code};
use crate::config::Config;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Rejects a request with an unsafe method, unless the page's origin is the service's own or a trusted one.
pub type OriginLayer = CsrfLayer<fn(ProtectionError) -> Response>;

/// The rule as a layer for HTTP routes. It exempts safe methods.
///
/// # Errors
/// When `PUBLIC_URL` or one of `SOCKET_ORIGINS` is not a valid origin.
pub fn layer(config: &Config) -> Result<OriginLayer, ConfigError> {
    let trusted = std::iter::once(&config.public_url).chain(&config.socket_origins);
    let layer = trusted.map(|url| url.origin().ascii_serialization()).try_fold(CsrfLayer::new(), CsrfLayer::add_trusted_origin)?;
    Ok(layer.with_rejection_response(reject as fn(ProtectionError) -> Response))
}

fn reject(error: ProtectionError) -> Response {
    ApiError::new(Code::CrossSite).source(error).into_response()
}

/// Applies the rule to a request with any method. A Socket.IO connection starts with a GET, and its events change state.
///
/// # Errors
/// `cross_site_request` when the page's origin is neither the service's own nor a trusted one.
pub async fn check(layer: &OriginLayer, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    // The layer exempts GET, so it receives a POST with the headers that it inspects.
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    request.uri_mut().clone_from(uri);
    for name in [&HOST, &ORIGIN, &SEC_FETCH_SITE] {
        if let Some(value) = headers.get(name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    let admitted = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::default())));
    let Ok(mut answer) = layer.layer(admitted).oneshot(request).await;
    answer.extensions_mut().remove::<ProtectionError>().map_or(Ok(()), |error| Err(ApiError::new(Code::CrossSite).source(error)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::Cli;

    #[tokio::test]
    async fn only_pages_of_the_same_or_a_trusted_origin_are_allowed() {
        let arguments = ["vitrine", "--database-url=postgres://x", "--redis-url=redis://x", "--public-url=https://vitrine.example:8443/"];
        let config = Cli::try_parse_from(arguments.into_iter().chain(["--socket-origins=http://tools.example"])).unwrap().config;
        let layer = layer(&config).unwrap();
        // `Host`, `Origin` and `Sec-Fetch-Site` as browsers send them, and whether the request is allowed.
        let table: [(&str, Option<&str>, Option<&str>, bool); 17] = [
            ("127.0.0.1:8080", Some("http://127.0.0.1:8080"), None, true),
            ("127.0.0.1:8080", Some("http://127.0.0.1:8080"), Some("same-origin"), true),
            ("localhost:8080", Some("http://localhost:8080"), None, true),
            ("[::1]:8080", Some("http://[::1]:8080"), None, true),
            ("localhost:8080", Some("https://vitrine.example:8443"), None, true),
            ("localhost:8080", Some("https://vitrine.example:8443"), Some("cross-site"), true),
            ("localhost:8080", Some("http://tools.example"), Some("cross-site"), true),
            ("localhost:8080", None, None, true),
            ("localhost:8080", None, Some("none"), true),
            ("127.0.0.1:8080", Some("http://127.0.0.1:3000"), None, false),
            ("127.0.0.1:8080", Some("http://localhost:8080"), None, false),
            ("localhost:8080", Some("http://localhost"), None, false),
            ("localhost:8080", Some("http://tools.example.evil.example"), None, false),
            ("localhost:8080", Some("https://tools.example"), None, false),
            ("localhost:8080", Some("null"), None, false),
            ("localhost:8080", Some("http://localhost:8080"), Some("cross-site"), false),
            ("localhost:8080", None, Some("same-site"), false),
        ];
        for (host, origin, site, allowed) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in [(&HOST, Some(host)), (&ORIGIN, origin), (&SEC_FETCH_SITE, site)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            let uri = Uri::from_static("/socket.io/?EIO=4");
            assert_eq!(check(&layer, &uri, &headers).await.is_ok(), allowed, "{host} {origin:?} {site:?}");
        }
    }
}
