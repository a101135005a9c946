//! Metrics that are sampled on a timer or on each scrape, as opposed to recorded on an event.

pub mod process;
pub mod runtime;
