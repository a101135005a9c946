//! The addresses on which a process and its descendants accept TCP connections. `devstack::listeners` reads the kernel's lists.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use devstack::listeners;

use crate::processes;

/// A socket that accepts connections.
pub struct Listener {
    /// The name of its process.
    pub process: String,
    pub address: SocketAddr,
}

/// The listeners of a process and its descendants.
pub fn of(root: u32) -> Result<Vec<Listener>> {
    let sockets = listeners::sockets();
    ensure!(!sockets.is_empty(), "Linux lists no listening socket");
    let mut found = Vec::new();
    for (pid, process) in processes::descendants(root)? {
        let addresses = listeners::addresses(pid, &sockets);
        found.extend(addresses.into_iter().map(|address| Listener { process: process.clone(), address }));
    }
    Ok(found)
}

/// Whether only this machine can connect to an address.
pub fn is_local(address: SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip: Ipv4Addr| ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_that_others_can_reach_is_found() {
        let open = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let local = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let found = of(std::process::id()).unwrap();
        let is_local_at = |listener: &TcpListener| {
            let address = listener.local_addr().unwrap();
            is_local(found.iter().find(|listener| listener.address == address).unwrap().address)
        };
        assert!(!is_local_at(&open));
        assert!(is_local_at(&local));
        assert!(is_local(SocketAddr::new("::ffff:127.0.0.1".parse().unwrap(), 1)));
    }
}
