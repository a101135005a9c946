#!/bin/sh
# opentelemetry_sdk 0.33.1: the sampler `TraceIdRatioBased` keeps none or all of the traces whose identifiers are UUIDs.
#
# Expected: of many traces with different identifiers, a ratio of 0.5 keeps about half, and 0.75 about three quarters. A UUID is the
#   natural identifier where the edge has already given the request one. Its last seven bytes are random, which is all that W3C Trace
#   Context, level 2, asks of a trace identifier.
# Actual: 0.5 keeps no trace, and 0.75 keeps all. The sampler compares the upper 63 bits of the second half of the identifier with the
#   ratio, and a UUID has its variant there: two bits that are always 10 (RFC 9562). So the compared number is always in the third
#   quarter. Identifiers of the SDK's own generator are not affected.
# Source: https://www.w3.org/TR/trace-context-2/#random-trace-id-flag, https://www.rfc-editor.org/rfc/rfc9562#section-4.1 and
#   https://docs.rs/opentelemetry_sdk/0.33.1/opentelemetry_sdk/trace/enum.Sampler.html
# Needs cargo.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "ratios"
version = "0.0.0"
edition = "2024"

[dependencies]
opentelemetry = { version = "=0.33.1", default-features = false, features = ["trace"] }
opentelemetry_sdk = { version = "=0.33.1", default-features = false, features = ["trace"] }
uuid = { version = "=1.29.1", features = ["v4", "v7"] }

[profile.dev]
debug = false
TOML
cat >"$work/src/main.rs" <<'RUST'
use opentelemetry::TraceId;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, ShouldSample};
use uuid::Uuid;

/// The percentage of 10,000 traces that a ratio keeps.
fn kept(ratio: f64, id: impl Fn() -> TraceId) -> usize {
    let sampler = Sampler::TraceIdRatioBased(ratio);
    let keeps = |id| sampler.should_sample(None, id, "", &SpanKind::Server, &[], &[]).decision == SamplingDecision::RecordAndSample;
    (0..10_000).filter(|_| keeps(id())).count().div_ceil(100)
}

fn main() {
    let generator = RandomIdGenerator::default();
    for ratio in [0.25, 0.5, 0.75] {
        let v4 = kept(ratio, || TraceId::from_bytes(Uuid::new_v4().into_bytes()));
        let v7 = kept(ratio, || TraceId::from_bytes(Uuid::now_v7().into_bytes()));
        let own = kept(ratio, || generator.new_trace_id());
        assert!(own.abs_diff((ratio * 100.0) as usize) < 5, "the SDK's own identifiers: {own} %");
        println!("{ratio}: {v4} % of UUIDs v4, {v7} % of UUIDs v7");
    }
}
RUST
seen=$(cd "$work" && cargo run --quiet --target-dir "$work/target")
echo "$seen"
[ "$seen" = '0.25: 0 % of UUIDs v4, 0 % of UUIDs v7
0.5: 0 % of UUIDs v4, 0 % of UUIDs v7
0.75: 100 % of UUIDs v4, 100 % of UUIDs v7' ]
