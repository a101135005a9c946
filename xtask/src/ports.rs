//! Where things listen: the table of `up`'s fixed ports beside compose's, and free ports for proofs.
//! Which program is started on them is said in `stack` and `stores`.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// Different loopback ports that nobody uses at this moment.
pub fn free(count: usize) -> Result<Vec<u16>> {
    // All are held until the last is known, so that no port is given twice.
    let listeners = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<Vec<_>, _>>()
        .context("no free port on 127.0.0.1")?;
    listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}
