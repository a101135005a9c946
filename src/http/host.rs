//! The `Host` of a request (RFC 9112, 3.2): exactly one that is a host, or the request is refused. Whoever reads one of two
//! lines and forwards the other can be made to serve one site's answers as another's.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Version};

use super::error::{ApiError, Code};

/// Refuses a request without a `Host`, with several, or with one that is none.
///
/// # Errors
/// `invalid_header`.
pub fn check(request: &Request) -> Result<(), ApiError> {
    let mut lines = request.headers().get_all(HOST).iter();
    let problem = match (lines.next(), lines.next()) {
        // HTTP/1.0 does not have the header, and HTTP/2 sends `:authority` in its place.
        (None, _) if request.version() != Version::HTTP_11 => return Ok(()),
        (None, _) => "Host is missing",
        (Some(_), Some(_)) => "Host must be sent once",
        (Some(host), None) if is_host(host) => return Ok(()),
        (Some(_), None) => "Host must be a host, with or without a port",
    };
    Err(ApiError::new(Code::InvalidHeader).detail(problem))
}

/// `uri-host [ ":" port ]` of RFC 9110, 7.2. A request over HTTP always has a host, so an empty one is none (4.2.1).
fn is_host(value: &HeaderValue) -> bool {
    let Ok(authority) = Authority::try_from(value.as_bytes()) else { return false };
    let host = authority.host();
    // No user, and after the host nothing but a port.
    let port = authority.as_str().strip_prefix(host).and_then(|rest| rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("")));
    !host.is_empty() && port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_host_and_perhaps_a_port() {
        for host in [
            "x",
            "localhost",
            "localhost:8080",
            "vitrine.example",
            "127.0.0.1:4001",
            "[::1]",
            "[::1]:4001",
            "x:",
            "a_b",
            "xn--bcher-kva.example",
        ] {
            assert!(is_host(&HeaderValue::from_static(host)), "{host}");
        }
        for other in [
            "", ":80", "a b", "a/b", "a?b", "a#b", "u@x", "u:p@x", "x:80:80", "x:port", "x:-1", "http://x", "a,b c", "[::1", "::1",
            "\"x\"", "x y:80",
        ] {
            assert!(!is_host(&HeaderValue::from_static(other)), "{other}");
        }
        assert!(!is_host(&HeaderValue::from_bytes(b"\xff").unwrap()));
    }
}
