//! Configuration: the comments on the fields are the text of `trace-store --help`.

use std::net::SocketAddr;

use clap::Args;

/// The configuration of a store.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Addresses and ports to listen on, separated by commas: those of Tempo and of Loki, whose places it takes
    #[arg(
        long,
        env = "LISTEN_ADDRESSES",
        value_name = "LISTEN_ADDRESSES",
        value_delimiter = ',',
        default_value = "127.0.0.1:3200,127.0.0.1:3100"
    )]
    pub listen_addresses: Vec<SocketAddr>,
}
