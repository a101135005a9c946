//! Tests that the simulated platforms behave correctly, and that each knob causes exactly one fault.

#![expect(clippy::unwrap_used, reason = "a failed test ends with a panic")]

mod support;

mod authorization;
mod faults;
mod knobs;
mod lies;
mod notifications;
mod pages;
mod posts;
mod program;
mod simulator;
mod tokens;
