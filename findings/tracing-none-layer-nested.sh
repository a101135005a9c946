#!/bin/sh
# tracing-subscriber 0.3.23: a layer that is `None` turns off all events for the other layers, depending on where it is composed.
#
# Expected: `Option<Layer>` is the documented way to add a layer on condition, and `None` does nothing. So with a filter for INFO, a layer
#   `lines`, and a layer `extra` that is `None`, an INFO event reaches `lines`, in whatever way `and_then` composes the three.
# Actual: only if `None` is between the two others. For filter.and_then(lines).and_then(extra) and filter.and_then(lines.and_then(extra))
#   no event is enabled at all, and nothing says so. registry().with(filter).with(lines).with(extra) works. `None` announces the maximum
#   level OFF, and compositions correct this only in some places.
# Source: https://docs.rs/tracing-subscriber/0.3.23/tracing_subscriber/layer/index.html#runtime-configuration-with-layers
# Needs cargo.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "nested"
version = "0.0.0"
edition = "2024"

[dependencies]
tracing = "=0.1.44"
tracing-subscriber = { version = "=0.3.23", default-features = false, features = ["registry"] }

[profile.dev]
debug = false
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

#[derive(Clone, Default)]
struct Lines(Arc<AtomicU32>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The number of events, of one, that reach the layer.
fn seen(compose: impl Fn(LevelFilter, Lines, Option<Lines>) -> Box<dyn Layer<Registry> + Send + Sync>) -> u32 {
    let lines = Lines::default();
    let layers = compose(LevelFilter::INFO, lines.clone(), None);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layers), || tracing::info!("an event"));
    lines.0.load(Ordering::Relaxed)
}

fn main() {
    println!("last: {}", seen(|filter, lines, extra| filter.and_then(lines).and_then(extra).boxed()));
    println!("between: {}", seen(|filter, lines, extra| filter.and_then(extra).and_then(lines).boxed()));
    println!("one by one: {}", {
        let lines = Lines::default();
        let layers = tracing_subscriber::registry().with(LevelFilter::INFO).with(lines.clone()).with(None::<Lines>);
        tracing::subscriber::with_default(layers, || tracing::info!("an event"));
        lines.0.load(Ordering::Relaxed)
    });
    println!("nested: {}", seen(|filter, lines, extra| filter.and_then(lines.and_then(extra)).boxed()));
}
RUST
seen=$(cd "$work" && cargo run --quiet --target-dir "$work/target")
echo "$seen"
[ "$seen" = 'last: 0
between: 1
one by one: 1
nested: 0' ]
