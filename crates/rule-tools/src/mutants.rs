//! Mutants: rules with one small change each, such as another threshold or a `by` clause without one of its labels. A mutant that no test
//! of its rule detects shows a gap in the tests, unless `equivalent.yml` lists it. Each kind of change has its own file in `mutants/`;
//! `trial` runs the tests against the mutants.
//!
//! The fields `labels` and `annotations` of an alert need no mutants: promtool compares all of them in every test that expects the alert.

mod aggregations;
mod arithmetic;
mod comparisons;
mod durations;
mod edit;
mod equivalent;
mod labels;
mod matchers;
mod mutant;
mod numbers;
mod pool;
mod quantiles;
mod sets;
mod tokens;
pub mod trial;
mod waits;
mod windows;

use std::collections::BTreeSet;

use crate::rules::Rule;
use edit::Kind;
use mutant::Mutant;
use tokens::tokens;

const KINDS: [Kind; 9] = [
    comparisons::edits,
    numbers::edits,
    quantiles::edits,
    windows::edits,
    aggregations::edits,
    labels::edits,
    matchers::edits,
    sets::edits,
    arithmetic::edits,
];

/// Every mutant of a rule.
fn of(rule: &Rule) -> Vec<Mutant> {
    let expression = &rule.expr;
    let tokens = tokens(expression);
    let mut seen = BTreeSet::from([expression.clone()]);
    let mut mutants = waits::mutants(rule);
    for edit in KINDS.into_iter().flat_map(|kind| kind(&tokens)) {
        let mutated = edit.apply(expression);
        if seen.insert(mutated.clone()) {
            let change = format!("{} to {}", shown(&expression[edit.range]), shown(&edit.with));
            mutants.push(Mutant { rule: Rule { expr: mutated, ..rule.clone() }, change });
        }
    }
    mutants
}

fn shown(text: &str) -> String {
    if text.trim().is_empty() { "nothing".to_owned() } else { format!("`{}`", text.trim()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_differs_in_one_place_and_names_the_change() {
        let rule = Rule { expr: "sum(rate(x[5m])) > 2".to_owned(), r#for: Some("5m".to_owned()), ..Rule::default() };
        let mutants = of(&rule);
        let changes: Vec<&str> = mutants.iter().map(|mutant| mutant.change.as_str()).collect();
        assert_eq!(
            changes,
            [
                "for `5m` to nothing",
                "for `5m` to `10m`",
                "for `5m` to `150s`",
                "`>` to `<`",
                "`>` to `>=`",
                "`2` to `4`",
                "`2` to `1`",
                "`5m` to `10m`",
                "`5m` to `150s`",
                "`sum` to nothing",
                "`sum` to `max`",
            ]
        );
        assert!(mutants.iter().all(|mutant| mutant.rule != rule));
        assert_eq!(mutants[9].rule.expr, "(rate(x[5m])) > 2");
    }
}
