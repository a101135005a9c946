//! The client's network, derived from the peer address or, when a trusted proxy sent the request, from `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;

use super::error::ApiError;
use crate::config::Config;

/// Prefix length of the smallest IPv6 network that internet providers assign to a subscriber, who controls every address in it.
const SUBSCRIBER_PREFIX: u8 = 64;

/// The network of the client: one IPv4 address or an IPv6 /64. Limits apply to networks, so a client cannot evade a limit by switching
/// addresses within its network. Metrics and log lines must not contain networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientNetwork(pub IpNet);

impl<S: AsRef<Config> + Sync> FromRequestParts<S> for ClientNetwork {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip());
        Ok(Self(network(client(peer, &parts.headers, &state.as_ref().trusted_proxies.0))))
    }
}

fn network(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(_) => address.into(),
        IpAddr::V6(_) => IpNet::new(address, SUBSCRIBER_PREFIX).map_or_else(|_| address.into(), |network| network.trunc()),
    }
}

/// Walks the proxy chain, nearest hop first, up to the first invalid address. The client is the first untrusted address on the way or,
/// if there is none, the last trusted one.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let forwarded: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    let mut client = peer.to_canonical();
    for address in forwarded.iter().rev() {
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

    fn network_of(peer: &str, forwarded: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        network(client(peer.parse().unwrap(), &headers, &["10.0.0.0/8".parse().unwrap()])).to_string()
    }

    #[test]
    fn an_untrusted_proxy_counts_as_the_client() {
        assert_eq!(network_of("192.0.2.1", "198.51.100.7"), "192.0.2.1/32");
    }

    #[test]
    fn addresses_left_of_the_last_untrusted_one_are_ignored() {
        assert_eq!(network_of("10.0.0.2", "203.0.113.9, 198.51.100.7"), "198.51.100.7/32");
    }

    #[test]
    fn a_network_is_one_ipv4_address_or_64_bits_of_ipv6() {
        for (address, network) in [
            ("198.51.100.7", "198.51.100.7/32"),
            ("::ffff:198.51.100.7", "198.51.100.7/32"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ] {
            assert_eq!(network_of("10.0.0.2", address), network, "{address}");
        }
    }
}
