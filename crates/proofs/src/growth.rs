//! How cost grows with the amount of work: `cargo xtask growth` measures the cost of one unit at growing amounts and judges the ratios.
//!
//! Each subject has a file: `rows` (pages of long lists, and jobs beside many finished ones), `sockets`, `edge`, `scrape` and `requests`.
//! `setup` starts replicas, `meter` measures CPU time, `curve` holds and judges the figures, `document` and `picture` write the results.
//! The order of a run is in `proof`. Single replicas, their stores and the HTTP load come from `peers`.

mod curve;
mod document;
mod edge;
mod meter;
mod picture;
mod proof;
mod requests;
mod rows;
mod scrape;
mod setup;
mod sockets;

pub use proof::{Options, add};
