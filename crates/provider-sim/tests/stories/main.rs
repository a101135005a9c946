//! What the simulated platforms do right, and that each knob makes exactly one thing go wrong.

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
