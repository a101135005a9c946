//! The rules of `docs/ARCHITECTURE.md` on which module may import which, checked against the source. Rules that the compiler already
//! enforces, such as the privacy of a feature's modules, are not repeated here.

#![expect(clippy::unwrap_used, reason = "a failed test ends with a panic")]

mod cycles;
mod paths;
mod rules;
mod sources;
mod tokens;
