//! Visits: reports from browsers about the pages that they show. The reports are not stored, only counted in metrics.
//!
//! - A beacon is a request with reports. It may contain only names that are label values of metrics, so that no visitor can create a
//!   time series. A beacon with an unknown name or an implausible value is rejected as a whole.
//! - Beacons are not trustworthy. Their rate per network is limited. Beacons of clients that declare themselves robots or send no user
//!   agent are accepted but not counted.

mod events;
mod model;
mod routes;
mod service;

pub use routes::routes;
pub use service::Visits;
