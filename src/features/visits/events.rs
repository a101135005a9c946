//! The events of visits: each updates a metric. They are not logged, because clients could flood the log with them.

use super::model::Report;
use crate::metrics::Metrics;

pub fn reported(metrics: &Metrics, report: Report) {
    match report {
        Report::PageView(route) => metrics.page_views.increment(route),
        Report::Vital(route, vital, seconds) => metrics.web_vitals.record((route, vital), seconds),
        Report::Shift(route, shift) => metrics.web_vitals_cls.record(route, shift),
        Report::Call(endpoint, status) => metrics.api_calls.increment((endpoint, status)),
        Report::Asset(asset, seconds) => metrics.static_asset_load.record(asset, seconds),
        Report::Error(error) => metrics.client_errors.increment(error),
        Report::Boundary(route) => metrics.error_boundaries.increment(route),
    }
}
