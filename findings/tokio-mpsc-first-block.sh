#!/bin/sh
# tokio 1.54.1: a bounded channel allocates room for 32 messages when it is created, whatever its capacity.
#
# Expected: `mpsc::channel(1)` needs memory for one message, and the capacity bounds the memory of an empty channel. The documentation
#   describes the argument as the number of messages that the channel buffers.
# Actual: messages are in linked blocks of 32 slots, and the first block is allocated immediately. With messages of 200 bytes a channel of
#   capacity 1 takes as many bytes as one of capacity 32: more than 6 kB. A service with a channel for each idle connection pays that for
#   every connection. A smaller capacity saves nothing; putting each message into a `Box` saves most of it.
# Source: https://github.com/tokio-rs/tokio/blob/tokio-1.54.1/tokio/src/sync/mpsc/bounded.rs
# Needs cargo.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'END'
[package]
name = "first-block"
version = "0.0.0"
edition = "2024"

[dependencies]
tokio = { version = "=1.54.1", default-features = false, features = ["sync"] }
END
cat >"$work/src/main.rs" <<'END'
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that are allocated for a new channel of this capacity.
fn bytes<T>(capacity: usize) -> usize {
    let before = ALLOCATED.load(Relaxed);
    let channel = tokio::sync::mpsc::channel::<T>(capacity);
    let bytes = ALLOCATED.load(Relaxed) - before;
    drop(channel);
    bytes
}

fn main() {
    let [one, many] = [1, 32].map(bytes::<[u8; 200]>);
    let boxed = bytes::<Box<[u8; 200]>>(1);
    println!("bytes of a new channel: {one} for capacity 1, {many} for capacity 32, {boxed} for capacity 1 with boxed messages");
    std::process::exit(i32::from(!(one == many && one > 32 * 200 && boxed < 1500)));
}
END
cd "$work"
cargo run --quiet
