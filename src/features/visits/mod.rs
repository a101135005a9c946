//! Visits: reports from browsers about the pages that they show. They are not stored, only counted in metrics.
//!
//! - A beacon is a request with reports. It may contain only names from the label sets, so that no visitor can create a time series. A
//!   beacon with an unknown name is rejected as a whole.
//! - Beacons are not trustworthy. Implausible values are rejected, the rate per network is limited, and beacons of declared robots are
//!   accepted but not counted.

mod events;
mod model;
mod routes;
mod service;

pub use routes::routes;
pub use service::Visits;
