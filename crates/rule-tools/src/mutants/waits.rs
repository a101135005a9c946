//! Doubles, halves and removes the `for` and `keep_firing_for` of alerts.

use super::durations;
use super::mutant::Mutant;
use crate::rules::Rule;

pub fn mutants(rule: &Rule) -> Vec<Mutant> {
    let waits = others("for", rule.r#for.as_deref());
    let waits = waits.into_iter().map(|(change, r#for)| Mutant { rule: Rule { r#for, ..rule.clone() }, change });
    let holds = others("keep_firing_for", rule.keep_firing_for.as_deref());
    let holds = holds.into_iter().map(|(change, keep_firing_for)| Mutant { rule: Rule { keep_firing_for, ..rule.clone() }, change });
    waits.chain(holds).collect()
}

/// Alternative values of a field, each with a description of the change.
fn others(field: &str, value: Option<&str>) -> Vec<(String, Option<String>)> {
    let Some(value) = value else { return Vec::new() };
    let mut changes = vec![(format!("{field} `{value}` to nothing"), None)];
    changes.extend(durations::others(value).into_iter().map(|other| (format!("{field} `{value}` to `{other}`"), Some(other))));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_changed_and_removed() {
        let rule = Rule { keep_firing_for: Some("10m".to_owned()), ..Rule::default() };
        let kept: Vec<Option<String>> = mutants(&rule).into_iter().map(|mutant| mutant.rule.keep_firing_for).collect();
        assert_eq!(kept, [None, Some("20m".to_owned()), Some("5m".to_owned())]);
        assert!(mutants(&Rule::default()).is_empty());
    }
}
