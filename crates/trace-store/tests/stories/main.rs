//! Stories of the store: what a collector sends is found by `cargo xtask trace`, and malformed input changes nothing.

#![expect(clippy::unwrap_used, reason = "a failed test ends with a panic")]

mod logs;
mod support;
mod traces;
