//! The symptoms of docs/TROUBLESHOOTING.md: each has a check, a cause, a cure, and a drill, proof or test that exists. `cargo xtask doctest`
//! runs the commands of the checks.

use std::fs;

use crate::files::{files, root, text};

const PARTS: [&str; 4] = ["Check", "Cause", "Cure", "Proven by"];
/// The document is useless with fewer.
const LEAST: usize = 20;

/// The symptoms of a document, each as its heading and its text.
fn symptoms(document: &str) -> Vec<(&str, &str)> {
    let sections = document.split("\n### ").skip(1).map(|section| section.split("\n## ").next().unwrap());
    sections.map(|section| section.split_once('\n').unwrap()).collect()
}

/// What is wrong with the text of a symptom.
fn fault(symptom: &str) -> Option<String> {
    let part = |name: &str| symptom.split_once(&format!("\n- **{name}**: ")).map(|(_, rest)| rest.lines().next().unwrap());
    if let Some(missing) = PARTS.iter().find(|name| part(name).is_none_or(str::is_empty)) {
        return Some(format!("it has no {missing}"));
    }
    let quoted: Vec<&str> = part("Proven by").unwrap().split('`').skip(1).step_by(2).collect();
    match quoted[..] {
        [command] => proof(command),
        [path, name] => test(path, name),
        _ => Some("it must be proven by a command, or by a file and a test".to_owned()),
    }
}

/// What is wrong with a command that runs a proof or a drill.
fn proof(command: &str) -> Option<String> {
    let mut words = command.strip_prefix("cargo xtask ").unwrap_or_default().split(' ');
    let verb = words.next().unwrap_or_default();
    let is_verb = !verb.is_empty() && root().join(format!("xtask/src/verbs/{}.rs", verb.replace('-', "_"))).is_file();
    if !is_verb {
        return Some(format!("there is no proof {command}"));
    }
    let drills: String = files("crates/proofs/src/drill", "rs").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let is_drilled = |name: &str| drills.contains(&format!("\"{name}\"")) || drills.contains(&format!("\"{name}:"));
    let mut names = words.filter(|word| !word.starts_with("--")).peekable();
    let is_known = verb != "drill" || (names.peek().is_some() && names.all(is_drilled));
    (!is_known).then(|| format!("there is no drill {command}"))
}

/// What is wrong with the name of a test in a file.
fn test(path: &str, name: &str) -> Option<String> {
    let source = fs::read_to_string(root().join(path)).unwrap_or_default();
    let attributes = source.split_once(&format!("fn {name}(")).and_then(|(before, _)| before.rsplit("\n\n").next());
    (!attributes.is_some_and(|attributes| attributes.contains("test"))).then(|| format!("{path} has no test {name}"))
}

#[test]
fn every_symptom_has_a_check_a_cause_a_cure_and_a_proof_that_exists() {
    let document = text("docs/TROUBLESHOOTING.md");
    let symptoms = symptoms(&document);
    assert!(symptoms.len() >= LEAST, "{} symptoms", symptoms.len());
    let faults: Vec<String> = symptoms.iter().filter_map(|(title, text)| Some(format!("{title}: {}", fault(text)?))).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn an_incomplete_symptom_and_an_unknown_proof_are_reported() {
    let symptom = |proof: &str| format!("\n- **Check**: a\n- **Cause**: b\n- **Cure**: c\n- **Proven by**: {proof}\n");
    let fine = "`tests/contract/troubleshooting.rs`, `an_incomplete_symptom_and_an_unknown_proof_are_reported`";
    for proof in [fine, "`cargo xtask roll --kill`", "`cargo xtask drill PostgresDown`", "`cargo xtask drill MonitoringBroken:rules`"] {
        assert_eq!(fault(&symptom(proof)), None, "{proof}");
    }
    for proof in [
        "a drill",
        "`cargo xtask pray`",
        "`cargo xtask drill`",
        "`cargo xtask drill PostgresGone`",
        "`tests/contract/troubleshooting.rs`, `symptoms`",
        "`tests/contract/none.rs`, `a_test`",
    ] {
        assert!(fault(&symptom(proof)).is_some(), "{proof}");
    }
    assert!(fault(&symptom(fine).replace("- **Cure**: c\n", "")).unwrap().contains("Cure"));
}
