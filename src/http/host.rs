//! Checks the `Host` header (RFC 9112, 3.2): an HTTP/1.1 request must have exactly one `Host` line, with a valid value. With two lines, a
//! proxy might read one and this service the other. An attacker could then make the proxy serve one site's responses as another's.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Version};

use super::error::{ApiError, Code};

/// Rejects a request whose `Host` is missing, repeated or malformed.
///
/// # Errors
/// `invalid_header`.
pub fn check(request: &Request) -> Result<(), ApiError> {
    let mut lines = request.headers().get_all(HOST).iter();
    let problem = match (lines.next(), lines.next()) {
        // HTTP/1.0 does not require the header, and HTTP/2 sends `:authority` instead.
        (None, _) if request.version() != Version::HTTP_11 => return Ok(()),
        (None, _) => "Host is missing",
        (Some(_), Some(_)) => "Host must not be sent more than once",
        (Some(host), None) if is_host(host) => return Ok(()),
        (Some(_), None) => "Host must be a host name or address with an optional port",
    };
    Err(ApiError::new(Code::InvalidHeader).detail(problem))
}

/// `uri-host [ ":" port ]` of RFC 9110, 7.2. An `http` URI must not have an empty host (4.2.1).
fn is_host(value: &HeaderValue) -> bool {
    let Ok(authority) = Authority::try_from(value.as_bytes()) else { return false };
    let host = authority.host();
    // Rejects user information, and anything but a port after the host.
    let port = authority.as_str().strip_prefix(host).and_then(|rest| rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("")));
    !host.is_empty() && port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_port_and_nothing_else() {
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
