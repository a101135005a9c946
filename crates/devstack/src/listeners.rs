//! The listening TCP sockets of this machine, and the processes that hold these sockets. Linux lists both in `/proc`.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Listening sockets: their addresses by inode.
pub type Sockets = BTreeMap<u64, SocketAddr>;

/// A process that holds a socket.
#[derive(Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process' name, of which Linux keeps the first 15 characters.
    pub name: String,
    /// The process' id.
    pub pid: u32,
}

impl Display for Holder {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} (process {})", self.name, self.pid)
    }
}

/// The listening sockets of the machine.
#[must_use]
pub fn sockets() -> Sockets {
    let mut sockets = Sockets::new();
    for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // A machine without IPv6 has no second file.
        let text = fs::read_to_string(file).unwrap_or_default();
        sockets.extend(text.lines().skip(1).filter_map(listening));
    }
    sockets
}

/// The addresses among `sockets` on which a process listens. Empty if the process has exited, or belongs to another user.
#[must_use]
pub fn addresses(pid: u32, sockets: &Sockets) -> Vec<SocketAddr> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inodes = descriptors.filter_map(|descriptor| inode(&fs::read_link(descriptor.path()).ok()?));
    inodes.filter_map(|inode| sockets.get(&inode).copied()).collect()
}

/// The process that listens on a port. `None` if there is none, or if this user may not see whose port it is.
#[must_use]
pub fn holder(port: u16) -> Option<Holder> {
    let mut sockets = sockets();
    sockets.retain(|_, address| address.port() == port);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let pid: u32 = pids.find(|pid| !addresses(*pid, &sockets).is_empty())?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(Holder { name: name.trim_end().to_owned(), pid })
}

/// The inode in the target of a descriptor, such as `socket:[123]`.
fn inode(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    use super::*;

    #[test]
    fn the_holder_of_a_port_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(holder(port).unwrap().pid, std::process::id());
        assert_eq!(holder(0), None);
    }

    #[test]
    fn addresses_of_both_families_are_read() {
        let line = "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 4711 1 0";
        assert_eq!(listening(line), Some((4711, SocketAddr::from(([127, 0, 0, 1], 8080)))));
        assert_eq!(address("00000000000000000000000001000000"), Some(IpAddr::from(Ipv6Addr::LOCALHOST)));
        assert_eq!(listening(&line.replace(" 0A ", " 01 ")), None);
    }
}
