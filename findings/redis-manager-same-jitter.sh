#!/bin/sh
# redis (crate) 1.8.1: the random delays of a `ConnectionManager` are the same in all processes, and exceed the maximum delay.
#
# Expected: the documentation gives the delay between two attempts to connect as
#   min(max_delay, rand(0 .. min_delay * (exponent_base ^ current-try))), and says that it "won't be longer than max_delay". Clients that
#   lose a server together thus return at different times.
# Actual: the crate uses `backon` without its feature `std`, and `backon` then seeds its random numbers with a constant. So all clients with
#   the same settings wait for exactly the same times, and connect to a restarted server together. The random part is also
#   added to the limited delay: with 300 ms as minimum and maximum, pauses last from 300 to 600 ms.
#   A program that depends on `backon` itself, with its default features, gets random delays for the ConnectionManager, too: Cargo builds a
#   crate once, with the features of all its dependents.
# Source: https://docs.rs/redis/1.8.1/redis/aio/struct.ConnectionManager.html#method.new_with_config and
#   https://docs.rs/redis/1.8.1/redis/aio/struct.ConnectionManagerConfig.html#method.set_max_delay
# Needs cargo.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "delays"
version = "0.0.0"
edition = "2024"

[dependencies]
redis = { version = "=1.8.1", default-features = false, features = ["connection-manager", "tokio-comp"] }
tokio = { version = "1", features = ["macros", "rt"] }

[profile.dev]
debug = false
TOML
cat >"$work/src/main.rs" <<'RUST'
use redis::Client;
use redis::aio::ConnectionManagerConfig;
use std::net::TcpListener;
use std::time::{Duration, Instant};

const RETRIES: usize = 12;
const DELAY: Duration = Duration::from_millis(300);

/// Prints the pauses between attempts to connect, in milliseconds.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A server that closes each connection immediately, and records when it began.
    let server = std::thread::spawn(move || -> Vec<Instant> {
        listener.incoming().take(1 + RETRIES).map(|connection| (Instant::now(), drop(connection)).0).collect()
    });
    let config = ConnectionManagerConfig::new().set_min_delay(DELAY).set_max_delay(DELAY).set_number_of_retries(RETRIES);
    let client = Client::open(format!("redis://{address}")).unwrap();
    assert!(client.get_connection_manager_with_config(config).await.is_err());
    for pair in server.join().unwrap().windows(2) {
        println!("{}", (pair[1] - pair[0]).as_millis());
    }
}
RUST
cd "$work"
cargo build --quiet
target/debug/delays >first &
target/debug/delays >second
wait
echo "pauses of two processes, in milliseconds:"
tr '\n' ' ' <first && echo
tr '\n' ' ' <second && echo
# On a busy machine, a pause of one process can be a little longer. Twelve random pauses are never that close to twelve others.
paste first second | awk '
    { difference = $1 - $2; if (difference > 40 || difference < -40) differs = 1; if ($1 > 340) longer = 1; pauses++ }
    END { exit !(pauses == 12 && !differs && longer) }'
