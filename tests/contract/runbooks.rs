//! The contents of runbooks: their headings, and the services, files and chapters that they name. Also finds the queries in documents.

use std::collections::BTreeSet;
use std::fs;

use crate::files::{alerts, files, root, stem, text, yaml};

const HEADINGS: [&str; 4] = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];
/// First words of indented or fenced lines that are shell commands, not queries.
const COMMANDS: [&str; 7] = ["docker", "curl", "for", "sudo", "df", "cargo", "amtool"];
/// Texts that mark a line as a query in a document that is not a runbook.
const SIGNS: [&str; 5] = ["rate(", "{job=", "histogram_quantile(", " by (", "slo:"];
/// Options of Compose that take a value.
const WITH_VALUE: [&str; 7] = ["--since", "--tail", "-n", "--format", "--index", "--profile", "--scale"];
/// Folders of the checkout. A path in one of them must exist if a runbook names it.
const FOLDERS: [&str; 7] = ["docs/", "monitoring/", "platforms/", "compose/", "migrations/", "src/", ".ci/"];

fn texts() -> Vec<(String, String)> {
    files("monitoring/runbooks", "md").into_iter().map(|path| (stem(&path), fs::read_to_string(path).unwrap())).collect()
}

/// The indented and fenced lines of a document that are queries. A fence with a language other than `promql` contains no queries. In a
/// runbook, all remaining indented and fenced lines are queries, except empty lines and commands.
pub fn queries(document: &str) -> Vec<String> {
    let is_runbook = HEADINGS.iter().all(|heading| document.contains(heading));
    let mut fence = None;
    let lines = document.lines().filter(|line| {
        if let Some(language) = line.strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(language) };
            return false;
        }
        fence.map_or_else(|| line.starts_with("    "), |language| matches!(language, "" | "promql"))
    });
    let is_query = |line: &&str| {
        let is_command = line.split_whitespace().next().is_none_or(|word| COMMANDS.contains(&word));
        !is_command && (is_runbook || SIGNS.iter().any(|sign| line.contains(sign)))
    };
    lines.filter(is_query).map(|line| line.trim().to_owned()).collect()
}

/// The services named in the commands of a text.
fn services(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for command in text.split("docker compose ").skip(1) {
        let end = command.find(['\n', '\\', '`', '|', ';', '&', '>', ')']).unwrap_or(command.len());
        let mut words = command[..end].split_whitespace();
        let mut plain = Vec::new();
        while let Some(word) = words.next() {
            if WITH_VALUE.contains(&word) {
                words.next();
            } else if !word.starts_with('-') {
                plain.push(word.trim_matches(['"', '\'', ',', '.']));
            }
        }
        let count = match plain.first() {
            Some(&("exec" | "run")) => 1,
            Some(&("logs" | "restart" | "up" | "stop" | "start" | "kill" | "ps" | "top")) => plain.len(),
            _ => 0,
        };
        // A command in a shell loop names the service by a variable, which cannot be checked.
        found.extend(plain.into_iter().skip(1).take(count).filter(|word| !word.contains('$')));
    }
    found
}

#[test]
fn every_alert_has_a_runbook_with_four_headings() {
    let alerts: BTreeSet<String> = alerts().iter().filter_map(|rule| rule["alert"].as_str().map(str::to_owned)).collect();
    let runbooks = texts();
    for (name, text) in &runbooks {
        assert!(alerts.contains(name), "{name}.md must belong to an alert");
        assert!(text.starts_with(&format!("# {name}\n")), "{name}.md must begin with its name");
        for heading in HEADINGS {
            assert!(text.contains(heading), "{name}.md must have {heading}");
        }
    }
    for alert in alerts {
        assert!(runbooks.iter().any(|(name, _)| *name == alert), "monitoring/runbooks/{alert}.md must exist");
    }
}

#[test]
fn commands_name_services_of_compose() {
    let compose = yaml(&root().join("docker-compose.yml"));
    for (name, text) in texts() {
        for service in services(&text) {
            assert!(compose["services"][service].is_object(), "{name}.md: no service {service}");
        }
    }
}

#[test]
fn runbooks_name_existing_files_and_chapters() {
    let chapters = text("docs/OPERATIONS.md");
    for (name, text) in texts() {
        for word in text.split(|c: char| c.is_whitespace() || matches!(c, '`' | '(' | ')' | ',' | ';')) {
            let path = word.trim_end_matches(['.', ':']);
            if FOLDERS.iter().any(|folder| path.starts_with(folder)) {
                assert!(root().join(path).exists(), "{name}.md: no file {path}");
            }
        }
        for reference in text.split("docs/OPERATIONS.md, ").skip(1) {
            let chapter = reference.split([')', '.', ';', ',', ':', '\n']).next().unwrap_or_default();
            let is_title = chapter.starts_with(char::is_uppercase);
            assert!(
                !is_title || chapters.contains(&format!("## {chapter}\n")),
                "{name}.md: docs/OPERATIONS.md lacks the chapter {chapter}"
            );
        }
    }
}

#[test]
fn queries_and_services_are_parsed() {
    let document = "    sum(rate(a[5m]))\n    docker compose logs --since 10m b c | grep d\n    docker compose exec e psql -U f\n```ts\nsum(b)\n```\ntext `docker compose restart g`\n";
    assert_eq!(queries(document), ["sum(rate(a[5m]))"]);
    assert_eq!(services(document).into_iter().collect::<Vec<_>>(), ["b", "c", "e", "g"]);
}
