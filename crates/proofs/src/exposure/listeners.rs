//! The addresses on which a process and its descendants accept TCP connections, as Linux lists them.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Result, ensure};

use crate::processes;

/// A socket that accepts connections.
pub struct Listener {
    /// The name of its process.
    pub process: String,
    pub address: SocketAddr,
}

/// The listeners of a process and its descendants.
pub fn of(root: u32) -> Result<Vec<Listener>> {
    let sockets = sockets()?;
    let mut found = Vec::new();
    for (pid, process) in processes::descendants(root)? {
        // A process that has just exited, or that belongs to another user, has no readable descriptors.
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
        let inodes = descriptors.filter_map(|descriptor| inode(&fs::read_link(descriptor.ok()?.path()).ok()?));
        found.extend(inodes.filter_map(|inode| Some(Listener { process: process.clone(), address: *sockets.get(&inode)? })));
    }
    Ok(found)
}

/// The inode in the target of a descriptor, such as `socket:[123]`.
fn inode(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The listening sockets of the machine, by inode.
fn sockets() -> Result<BTreeMap<u64, SocketAddr>> {
    let mut sockets = BTreeMap::new();
    for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // A machine without IPv6 has no second file.
        let text = fs::read_to_string(file).unwrap_or_default();
        sockets.extend(text.lines().skip(1).filter_map(listening));
    }
    ensure!(!sockets.is_empty(), "Linux lists no listening socket");
    Ok(sockets)
}

/// Reads the inode and the address of a line, if it is the line of a listener.
fn listening(line: &str) -> Option<(u64, SocketAddr)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (host, port) = fields.get(1)?.split_once(':')?;
    let address = SocketAddr::new(address(host)?, u16::from_str_radix(port, 16).ok()?);
    (*fields.get(3)? == LISTEN).then_some((fields.get(9)?.parse().ok()?, address))
}

/// Reads an address, which Linux writes as words of 32 bits in the machine's byte order.
fn address(hex: &str) -> Option<IpAddr> {
    let words = hex.as_bytes().chunks(8).map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
    let bytes: Vec<u8> = words.collect::<Option<Vec<u32>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
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
    use std::net::{Ipv6Addr, TcpListener};

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
    }

    #[test]
    fn addresses_of_both_families_are_read() {
        let line = "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 4711 1 0";
        assert_eq!(listening(line), Some((4711, SocketAddr::from(([127, 0, 0, 1], 8080)))));
        assert_eq!(address("00000000000000000000000001000000"), Some(IpAddr::from(Ipv6Addr::LOCALHOST)));
        assert_eq!(address("0000000000000000FFFF00000100007F").map(|ip| is_local(SocketAddr::new(ip, 1))), Some(true));
        assert_eq!(listening(&line.replace(" 0A ", " 01 ")), None);
    }
}
