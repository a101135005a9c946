#!/bin/sh
# metrics-exporter-prometheus 0.18.3 and Prometheus (Debian package prometheus, 2.42): a metric has two names, one for each scrape format.
#
# Expected: a metric has the same name in every format. The documentation of `with_recommended_naming` says that "unit suffixes are
#   appended to metric names", and describes the protobuf format as a matter of content negotiation.
# Actual: the text format has the units in the names, and the protobuf format has only `_total`. Prometheus asks for protobuf as soon as
#   its native histograms are enabled, even if no target has one. If the crate's feature `protobuf` is on, all series of the service that
#   have a unit end at that moment, and series without it begin. Alerts that name the old series never fire again. A service whose
#   metrics have their units in the names from the start is not affected.
# Source: https://docs.rs/metrics-exporter-prometheus/0.18.3/metrics_exporter_prometheus/struct.PrometheusBuilder.html and
#   https://prometheus.io/docs/prometheus/2.42/feature_flags/#native-histograms
# Needs cargo and the packages prometheus, protobuf-compiler and libprotobuf-dev; installs missing ones if the script runs as root.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
command -v prometheus >/dev/null && command -v protoc >/dev/null && [ -e /usr/include/google/protobuf/timestamp.proto ] ||
    apt-get install --yes --quiet=2 --no-install-recommends prometheus protobuf-compiler libprotobuf-dev >/dev/null
work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$work"' EXIT INT TERM
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "service"
version = "0.0.0"
edition = "2024"

[dependencies]
metrics = "=0.24.6"
metrics-exporter-prometheus = { version = "=0.18.3", default-features = false, features = ["http-listener", "protobuf"] }

[profile.dev]
debug = false
TOML
cat >"$work/src/main.rs" <<'RUST'
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::net::SocketAddr;

fn main() {
    let address: SocketAddr = std::env::args().nth(1).unwrap().parse().unwrap();
    let exporter = PrometheusBuilder::new().with_recommended_naming(true).set_buckets(&[1.0]).unwrap();
    exporter.with_http_listener(address).install().unwrap();
    describe_histogram!("request_duration", Unit::Seconds, "Time to answer a request.");
    describe_counter!("received", Unit::Bytes, "Size of the requests.");
    histogram!("request_duration").record(0.5);
    counter!("received").increment(100);
    loop {
        std::thread::park();
    }
}
RUST
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
service=127.0.0.1:$(free_port)
(cd "$work" && cargo build --quiet --target-dir "$work/target")
"$work/target/debug/service" "$service" &
pids="$pids $!"
cat >"$work/prometheus.yml" <<YML
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: service
    static_configs: [{targets: ["$service"]}]
YML
prometheus --version 2>&1 | head -n 1
query='group by (__name__) ({job="service", __name__!~"up|scrape_.*"})'
names() { # names FEATURES: the names of the service's series in a new Prometheus with these features
    listen=127.0.0.1:$(free_port)
    prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data$1" --web.listen-address="$listen" \
        --enable-feature="$1" >"$work/log$1" 2>&1 &
    pid=$!
    found=
    for _ in $(seq 300); do
        found=$(curl -s --data-urlencode "query=$query" "http://$listen/api/v1/query" |
            grep -o '"__name__":"[a-z_]*"' | cut -d '"' -f 4 | sort | tr '\n' ' ')
        [ -z "$found" ] || break
        sleep 0.1
    done
    kill "$pid"
    echo "$found"
}
text=$(names '')
protobuf=$(names native-histograms)
echo "without native histograms: $text"
echo "with native histograms:    $protobuf"
[ "$text" = 'received_bytes_total request_duration_seconds_bucket request_duration_seconds_count request_duration_seconds_sum ' ] &&
    [ "$protobuf" = 'received_total request_duration_bucket request_duration_count request_duration_sum ' ]
