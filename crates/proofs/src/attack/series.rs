//! The series that replicas expose, without their values.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use devstack::http::get;
use devstack::ports::MAX_REPLICAS;
use devstack::stack::Stack;

/// The series of every replica, ordered by the replica's number.
pub fn of_replicas(stack: &Stack) -> Result<Vec<BTreeSet<String>>> {
    (1..=MAX_REPLICAS).map(|number| of(&format!("{}/metrics", stack.backend(number)?))).collect()
}

fn of(url: &str) -> Result<BTreeSet<String>> {
    let answer = get(url)?;
    ensure!(answer.status == 200, "{url}: {}", answer.status);
    Ok(read(&answer.body))
}

/// The series of a scrape.
fn read(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_its_name_and_its_labels() {
        let text = "# HELP a b\n# TYPE a counter\na{b=\"c d\"} 1\na{b=\"c d\"} 2\n\ne 3\n";
        assert_eq!(read(text).into_iter().collect::<Vec<_>>(), ["a{b=\"c d\"}", "e"]);
    }
}
