//! The metrics of a replica, read from the replica itself. `prometheus` has what Prometheus has stored.

use anyhow::Result;
use devstack::http::get;

/// The sum of a metric's series that contain this label, such as `signal="traces"`; of all its series if the label is empty.
pub fn sum(replica: &str, metric: &str, label: &str) -> Result<f64> {
    let text = get(&format!("{replica}/metrics"))?.body;
    let is_wanted = |line: &&str| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with([' ', '{']) && rest.contains(label));
    Ok(text.lines().filter(is_wanted).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}
