//! The client's address: the peer's, or the one that a trusted proxy reports in `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;

use super::error::ApiError;
use crate::state::AppState;

/// The address that made the request. For limits and the audit, never for a metric or a log line.
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip());
        Ok(Self(client(peer, &parts.headers, &state.config.trusted_proxies)))
    }
}

/// Walks the chain of proxies from the nearest: the first that is not trusted is the client.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let reported: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    let mut client = peer.to_canonical();
    for address in reported.iter().rev() {
        if !is_trusted(&client) {
            break;
        }
        let Ok(next) = address.trim().parse::<IpAddr>() else { break };
        client = next.to_canonical();
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        client(peer.parse().unwrap(), &headers, &["10.0.0.0/8".parse().unwrap()]).to_string()
    }

    #[test]
    fn a_proxy_that_is_not_trusted_is_the_client_itself() {
        assert_eq!(address("192.0.2.1", "198.51.100.7"), "192.0.2.1");
    }

    #[test]
    fn what_a_client_claims_before_the_trusted_proxy_is_not_believed() {
        assert_eq!(address("10.0.0.2", "203.0.113.9, 198.51.100.7"), "198.51.100.7");
    }
}
