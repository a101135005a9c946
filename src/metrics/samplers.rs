//! Metrics that are sampled on a timer or on each scrape, not recorded when an event occurs.

pub mod process;
pub mod runtime;
