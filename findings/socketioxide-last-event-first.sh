#!/bin/sh
# socketioxide 0.18.9 and the official client (npm socket.io-client 4.8.4): of events that arrive together, the last often runs first.
#
# Expected: the handlers of a client's events start in the order in which the client emitted them, as in the official server. Socket.IO
#   "does guarantee message ordering": events "will always be received in the same order by the other side".
# Actual: socketioxide spawns a task for each event. A worker of Tokio's multi-threaded runtime runs the task that it spawned last before
#   all others (its LIFO slot), so the last event of a burst often overtakes the rest: "close" is handled before "open" and "write".
#   Tests do not notice: the runtime of `#[tokio::test]` has one thread and no such slot. A handler that puts events into a queue has the
#   same order. A type that implements `MessageHandler` itself gets the events in order, before a task exists.
# Source: https://socket.io/docs/v4/delivery-guarantees/#message-ordering,
#   https://docs.rs/socketioxide/0.18.9/socketioxide/index.html#handlers and
#   https://docs.rs/tokio/1.54.1/tokio/runtime/index.html#multi-threaded-runtime-behavior-at-the-time-of-writing
# Needs cargo, node and npm.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$work"' EXIT INT TERM
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "ordered"
version = "0.0.0"
edition = "2024"

[dependencies]
hyper = { version = "1", features = ["http1", "server"] }
hyper-util = { version = "0.1", features = ["tokio"] }
socketioxide = "=0.18.9"
tokio = { version = "=1.54.1", features = ["net", "rt-multi-thread"] }

[profile.dev]
debug = false
TOML
cat >"$work/src/main.rs" <<'RUST'
use hyper_util::rt::TokioIo;
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};
use tokio::runtime::Builder;

/// Sends each event back as soon as its handler starts.
async fn serve(port_file: String) {
    let (service, io) = SocketIo::new_svc();
    io.ns("/", async |socket: SocketRef| {
        socket.on("event", async |socket: SocketRef, Data::<u32>(number)| {
            socket.emit("handled", &number).unwrap();
        });
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    std::fs::write(port_file, listener.local_addr().unwrap().port().to_string()).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(connection.with_upgrades());
    }
}

fn main() {
    let [_, runtime, port_file] = std::env::args().collect::<Vec<_>>().try_into().unwrap();
    let mut builder = match runtime.as_str() {
        "current-thread" => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build().unwrap().block_on(async { tokio::spawn(serve(port_file)).await.unwrap() });
}
RUST
# Emits ten bursts of five events, and prints in how many of them the events were handled in order, and in how many the last one was first.
cat >"$work/client.mjs" <<'JS'
import { io } from 'socket.io-client';
const socket = io(`http://127.0.0.1:${process.argv[2]}`, { transports: ['websocket'] });
const handled = [];
let ordered = 0;
let lastFirst = 0;
let bursts = 0;
const burst = () => [1, 2, 3, 4, 5].forEach((number) => socket.emit('event', number));
socket.on('connect', burst);
socket.on('handled', (number) => {
  handled.push(number);
  if (handled.length < 5) return;
  if (handled.join() === '1,2,3,4,5') ordered += 1;
  if (handled[0] === 5) lastFirst += 1;
  handled.length = 0;
  bursts += 1;
  if (bursts < 10) return setTimeout(burst, 50);
  console.log(`in order ${ordered}, last first ${lastFirst}`);
  socket.close();
});
JS
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts socket.io-client@4.8.4 >/dev/null
cargo build --quiet
handled() { # handled RUNTIME: how a server with this runtime handled ten bursts
    target/debug/ordered "$1" "$work/$1" &
    pids="$pids $!"
    until [ -s "$work/$1" ]; do sleep 0.1; done
    node client.mjs "$(cat "$work/$1")"
}
handled current-thread >single
handled multi-thread >multi
echo "bursts of five events, of ten: current-thread runtime: $(cat single); multi-threaded runtime: $(cat multi)"
[ "$(cat single)" = 'in order 10, last first 0' ] && [ "$(sed 's/.*first //' multi)" -gt 0 ]
