//! The guides in docs/ state what the code decides: the errors and limits in API.md, the proofs in SECURITY.md. This file also checks that
//! the glossary, the answers in FAQ.md and the index are complete. `paths` checks the links and the named files of all documents.

use std::fmt::Write;
use std::fs;

use clap::CommandFactory;
use serde_json::Value;
use vitrine::config::Cli;
use vitrine::http::Code;
use vitrine::interface::{EDGE, EDGE_DEFAULT};

use crate::documents::assert_generated;
use crate::files::{files, root, text};
use crate::paths::code;

/// The comments around the generated table of errors.
const BEGIN: &str = "<!-- cargo xtask catalogue: begin -->\n";
const END: &str = "<!-- cargo xtask catalogue: end -->";

/// The cells of each row of the tables in a Markdown text.
fn rows(markdown: &str) -> Vec<Vec<&str>> {
    let rows = markdown.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The part of a document below a heading, until the next heading of the same level.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, after) = document.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    let level = heading.split(' ').next().unwrap();
    after.split(&format!("\n{level} ")).next().unwrap()
}

#[test]
fn the_table_of_errors_matches_the_codes() {
    let mut table = String::from("\n| status | code | title |\n| --: | --- | --- |\n");
    for code in Code::ALL {
        writeln!(table, "| {} | `{}` | {} |", code.status(), code.as_str(), code.title()).unwrap();
    }
    let of_edge = EDGE.iter().filter(|(_, code)| Code::ALL.iter().all(|known| known.as_str() != *code));
    for (status, code) in of_edge {
        writeln!(table, "| {status} | `{code}` | From the edge: a replica did not answer |").unwrap();
    }
    writeln!(table, "| other | `{EDGE_DEFAULT}` | From the edge: any other error |\n").unwrap();
    let document = text("docs/API.md");
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    assert_generated("docs/API.md", &format!("{before}{BEGIN}{table}{END}{after}"));
}

/// The default of a configuration variable, as its option shows it.
fn default_of(variable: &str) -> String {
    let command = Cli::command();
    let argument = command.get_arguments().find(|argument| argument.get_env().is_some_and(|name| name == variable));
    let argument = argument.unwrap_or_else(|| panic!("there is no variable {variable}"));
    argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect()
}

/// The whole numbers in a text; `_` and `,` group digits.
fn numbers(text: &str) -> Vec<u64> {
    let text = text.replace(['_', ','], "");
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// The number that a source states: `FILE: CONSTANT` of Rust, `Caddyfile: directive`, or `openapi.json: Schema.field`.
fn stated(file: &str, name: &str) -> u64 {
    let line = |path: &str, start: &str| {
        let text = text(path);
        let line = text.lines().map(|line| line.trim().trim_start_matches("pub ")).find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("{path} has no {start}"))[start.len()..].to_owned()
    };
    match file {
        "openapi.json" => {
            let described: Value = serde_json::from_str(&text("docs/openapi.json")).unwrap();
            let (schema, field) = name.split_once('.').unwrap();
            let field = &described["components"]["schemas"][schema]["properties"][field];
            field["maxLength"].as_u64().or(field["maxItems"].as_u64()).unwrap_or_else(|| panic!("{name} has no maximum"))
        }
        "Caddyfile" => numbers(&line(file, &format!("{name} ")))[0],
        _ => {
            let declared = line(file, &format!("const {name}: "));
            numbers(declared.split_once(" = ").unwrap().1)[0]
        }
    }
}

#[test]
fn the_limits_of_the_api_are_those_of_the_code() {
    let document = text("docs/API.md");
    let rows: Vec<Vec<&str>> = rows(section(&document, "## Limits")).into_iter().filter(|row| row[0] != "what").collect();
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let [what, limit, source] = row[..] else { panic!("{row:?}") };
        let source = source.trim_matches('`');
        match source.split_once(": ") {
            Some((file, name)) => assert_eq!(numbers(limit).last(), Some(&stated(file, name)), "{what}: {source}"),
            None => assert_eq!(limit.split(' ').next(), Some(&*default_of(source)), "{what}: {source}"),
        }
    }
}

#[test]
fn every_operation_that_accepts_an_idempotency_key_or_a_condition_is_named() {
    let described: Value = serde_json::from_str(&text("docs/openapi.json")).unwrap();
    let document = text("docs/API.md");
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = || operation["parameters"].as_array().into_iter().flatten();
            for (header, heading) in [("Idempotency-Key", "## Idempotency"), ("If-Match", "## Conditional requests")] {
                let is_accepted = parameters().any(|parameter| parameter["name"] == header);
                let name = format!("`{} {path}`", method.to_uppercase());
                assert_eq!(section(&document, heading).contains(&name), is_accepted, "docs/API.md, {heading}: {name}");
            }
        }
    }
}

#[test]
fn every_defence_names_a_test_or_a_command_that_exists() {
    let document = text("docs/SECURITY.md");
    let defences: Vec<Vec<&str>> = rows(section(&document, "## Defences")).into_iter().filter(|row| row[0] != "threat").collect();
    assert!(defences.len() > 20, "{}", defences.len());
    for row in &defences {
        let [threat, _, proof] = row[..] else { panic!("{row:?}") };
        // `doctest` checks that the command exists.
        let has_proof = code(proof).iter().any(|proof| proof.contains("::") || proof.starts_with("cargo xtask "));
        assert!(has_proof, "{threat}: {proof}");
    }
    let tests: Vec<String> = code(&document).into_iter().filter(|code| code.contains("::") && !code.contains(' ')).collect();
    assert!(tests.len() > 20, "{tests:?}");
    for test in tests {
        let (file, name) = test.split_once("::").unwrap();
        let path = ["tests/api", "tests/contract"]
            .map(|folder| format!("{folder}/{file}.rs"))
            .into_iter()
            .find(|path| root().join(path).is_file());
        let path = path.unwrap_or_else(|| panic!("docs/SECURITY.md: no file of tests is called {file}"));
        assert!(text(&path).contains(&format!("fn {name}(")), "docs/SECURITY.md: {path} has no test {name}");
    }
}

#[test]
fn every_term_of_the_glossary_occurs_in_another_document() {
    let others: Vec<String> = ["docs", "docs/adr", "monitoring/runbooks"]
        .iter()
        .flat_map(|folder| files(folder, "md"))
        .filter(|path| !path.ends_with("docs/GLOSSARY.md"))
        .map(|path| fs::read_to_string(path).unwrap())
        .chain([text("README.md"), text("CONTRIBUTING.md")])
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase())
        .collect();
    let glossary = text("docs/GLOSSARY.md");
    let terms: Vec<&str> = glossary.split("**").skip(1).step_by(2).collect();
    assert!(terms.len() > 50, "{}", terms.len());
    assert!(terms.is_sorted_by_key(|term| term.to_lowercase()), "the terms must be sorted");
    for term in terms {
        assert!(others.iter().any(|text| text.contains(&term.to_lowercase())), "docs/GLOSSARY.md: no other document uses {term}");
    }
}

#[test]
fn every_answer_leads_to_a_proof_or_a_decision() {
    let document = text("docs/FAQ.md");
    let answers: Vec<&str> = document.split("\n### ").skip(1).collect();
    assert!(answers.len() >= 20, "{}", answers.len());
    for answer in answers {
        let question = answer.lines().next().unwrap();
        assert!(question.ends_with('?'), "{question}");
        assert!(answer.contains("](") || answer.contains("`cargo xtask "), "{question}");
    }
}

#[test]
fn the_index_lists_every_document() {
    let index = text("docs/README.md");
    for path in files("docs", "md") {
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(name == "README.md" || index.contains(&format!("]({name}")), "docs/README.md does not list {name}");
    }
}
