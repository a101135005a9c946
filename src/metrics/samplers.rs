//! Gauges that are read on a timer or at each scrape rather than when something happens.

pub mod process;
pub mod runtime;
