//! Checks snippets without running them: the verbs and options of xtask, the services of Compose, the variables of `.env`, quoted source,
//! and the syntax of shell commands and data. No check needs a running stack.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use clap::Command;
use devstack::paths;
use devstack::process::{capture, task};
use devstack::report::Outcome;
use devstack::tools::PROMTOOL;

use super::documents::{Form, Snippet};
use super::fate::{self, Fate, is_setting};

/// A script of bash. Its arguments are pairs of a name and a text; it prints the name of each text that does not parse.
const PARSE: &str = r#"while [ $# -gt 0 ]; do bash -n -c "$2" || echo "not parsed: $1"; shift 2; done"#;
const NOT_PARSED: &str = "not parsed: ";
/// The subcommands of Compose whose first argument is a service and whose further arguments are a command in it.
const WITH_COMMAND: [&str; 2] = ["exec", "run"];
/// The options of Compose that documents use with a separate value.
const WITH_VALUE: [&str; 4] = ["-f", "--profile", "--since", "--tail"];

/// Checks that bash can parse the shell snippets. A placeholder such as `<id>` counts as a name.
pub fn shell(snippets: &[Snippet]) -> Result<Outcome> {
    let shell: Vec<&Snippet> = snippets.iter().filter(|snippet| is_shell(snippet)).collect();
    let mut bash = task("bash");
    bash.args(["-c", PARSE, "bash"]);
    for snippet in &shell {
        bash.args([snippet.name(), without_placeholders(&snippet.text)]);
    }
    let said = capture(&mut bash)?.text;
    eprint!("{said}");
    let failed: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix(NOT_PARSED)).collect();
    let note = failed.first().copied().unwrap_or_default();
    let (count, failed) = (u64::try_from(shell.len())?, u64::try_from(failed.len())?);
    Ok(Outcome { passed: count - failed, failed, ..Outcome::default() }.with_note(note))
}

fn is_shell(snippet: &Snippet) -> bool {
    if matches!(&snippet.form, Form::Fenced(language) if language != "sh") {
        return false;
    }
    let is_other = |fate| matches!(fate, Fate::Sql | Fate::Query | Fate::Data | Fate::Settings);
    fate::parts(snippet).iter().any(|part| !fate::of(snippet, part).is_some_and(is_other))
}

/// Replaces `<name>` by `name`, if only letters, digits and blanks are between `<` and `>`; blanks become `-`. Any
/// other `<` is a redirection.
fn without_placeholders(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let name = after.split_once('>').filter(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == ' '));
        if let Some((name, after)) = name {
            out.push_str(&name.replace(' ', "-"));
            rest = after;
        } else {
            out.push('<');
            rest = after;
        }
    }
    out + rest
}

/// Parses every call of xtask in a command as xtask does.
pub fn xtask(command: &str, cli: &Command) -> Result<()> {
    for call in calls(command, "cargo xtask") {
        // `cargo xtask` alone and `cargo xtask <verb>` stand for all verbs.
        if call.first().is_none_or(|verb| verb.starts_with('<')) {
            continue;
        }
        let words = ["cargo xtask".to_owned()].into_iter().chain(call);
        cli.clone().try_get_matches_from(words).with_context(|| command.to_owned())?;
    }
    Ok(())
}

/// Checks that the services of every call of Compose in a command exist.
pub fn compose(command: &str) -> Result<()> {
    let known = services()?;
    for call in calls(command, "docker compose") {
        let mut words = call.iter().map(String::as_str);
        let mut arguments = Vec::new();
        while let Some(word) = words.next() {
            match word {
                option if WITH_VALUE.contains(&option) => drop(words.next()),
                option if option.starts_with('-') => {}
                argument => arguments.push(argument),
            }
        }
        let Some((subcommand, arguments)) = arguments.split_first() else { bail!("{command}: no subcommand") };
        let named = if WITH_COMMAND.contains(subcommand) { &arguments[..arguments.len().min(1)] } else { arguments };
        for name in named {
            // In a loop, the name contains a variable, such as `backend-$n`: only the text before `$` is checked.
            let is_known =
                known.contains(*name) || name.split_once('$').is_some_and(|(start, _)| known.iter().any(|known| known.starts_with(start)));
            ensure!(is_known, "{command}: Compose has no service {name}");
        }
    }
    Ok(())
}

/// The words after a program's name, for each of its calls in a command.
fn calls(command: &str, program: &str) -> Vec<Vec<String>> {
    let text = command.lines().map(|line| line.split(" #").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let texts = text.split(program).skip(1).map(|call| call.split(['\n', ';', '|', '&', ')', '>']).next().unwrap_or_default().to_owned());
    texts.map(|call| call.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect()).collect()
}

/// The names of Compose's services.
fn services() -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(paths::root().join("docker-compose.yml"))?;
    let services = text.split_once("\nservices:\n").context("docker-compose.yml has no services")?.1;
    let until_next_section = services.lines().take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let names = until_next_section.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    Ok(names.filter(|name| !name.starts_with([' ', '#'])).map(str::to_owned).collect())
}

/// Checks that variables are those of `.env.example` or of a replica.
pub fn settings(text: &str) -> Result<()> {
    let read = |path: &str| fs::read_to_string(paths::root().join(path));
    let (of_compose, of_replicas) = (read(".env.example")?, read("src/config.rs")?);
    for line in text.lines().filter(|line| is_setting(line)) {
        let (name, _) = line.split_once('=').unwrap_or_default();
        let is_of_compose = of_compose.lines().any(|line| line.trim_start_matches('#').starts_with(&format!("{name}=")));
        let field = format!("    pub {}:", name.to_lowercase());
        let is_of_replicas = of_replicas.lines().any(|line| line.starts_with(&field));
        ensure!(is_of_compose || is_of_replicas, "{name} is neither in .env.example nor in src/config.rs");
    }
    Ok(())
}

/// Checks that a source file contains a block, whatever its indentation: Rust of the service or the proofs, or else of the dashboards.
pub fn quote(snippet: &Snippet) -> Result<()> {
    let trimmed = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let quoted = trimmed(snippet.text.trim_end());
    let is_rust = snippet.form == Form::Fenced("rust".to_owned());
    let sources: &[&str] = if is_rust { &["src", "crates/proofs/src"] } else { &["monitoring/grafana/src"] };
    let mut folders: Vec<_> = sources.iter().map(|folder| paths::root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if trimmed(&fs::read_to_string(&path)?).contains(&quoted) {
                return Ok(());
            }
        }
    }
    bail!("{}: no source file contains it", snippet.name())
}

/// Checks that a block of data can be parsed: as JSON, as TOML, or else by promtool as a scrape job.
pub fn data(snippet: &Snippet) -> Result<()> {
    let name = || snippet.name();
    match &snippet.form {
        Form::Fenced(language) if language == "json" => {
            serde_json::from_str::<serde_json::Value>(&snippet.text).map(drop).with_context(name)
        }
        Form::Fenced(language) if language == "toml" => toml::from_str::<toml::Table>(&snippet.text).map(drop).with_context(name),
        _ => scrape_configuration(&snippet.text).with_context(name),
    }
}

/// Settings of a scrape job, parsed by promtool.
fn scrape_configuration(text: &str) -> Result<()> {
    let folder = paths::temporary("doctest")?;
    let file = folder.path().join("prometheus.yml");
    fs::write(&file, format!("scrape_configs:\n  - job_name: document\n    {}\n", text.trim_end().replace('\n', "\n    ")))?;
    let said = capture(task(PROMTOOL.path()?).args(["check", "config"]).arg(&file))?;
    ensure!(said.success, "{}", said.text.trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn an_unknown_verb_or_option_is_an_error() {
        let up = Command::new("up").arg(Arg::new("detach").long("detach").action(clap::ArgAction::SetTrue));
        let cli = Command::new("cargo xtask").subcommand_required(true).subcommand(up);
        for fine in ["cargo xtask up --detach   # stays", "eval \"$(cargo xtask up)\"", "cargo xtask <verb>", "cargo xtask up && ls -l"] {
            xtask(fine, &cli).unwrap();
        }
        for wrong in ["cargo xtask down", "cargo xtask up --reset", "ls; cargo xtask up now"] {
            assert!(xtask(wrong, &cli).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_service_is_an_error() {
        for fine in [
            "docker compose up -d --build --wait",
            "docker compose exec -T postgres pg_dump vitrine >x",
            "docker compose --profile load run --rm k6",
            "for n in 1 2 3; do docker compose up -d \"backend-$n\"; done",
            "docker compose logs --since 15s backend-1 backend-2 | grep x",
        ] {
            compose(fine).unwrap();
        }
        for wrong in ["docker compose exec nginx sh", "docker compose stop backend-1 backend-9", "docker compose up \"front-$n\""] {
            assert!(compose(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_and_data_are_checked() {
        settings("SITE_ADDRESS=vitrine.example\n").unwrap();
        assert!(settings("SITE_ADRESS=vitrine.example\n").is_err());
        let fenced = |language: &str, text: &str| Snippet {
            document: "a.md".to_owned(),
            line: 1,
            form: Form::Fenced(language.to_owned()),
            text: text.to_owned(),
        };
        data(&fenced("json", "{\"a\": 1}")).unwrap();
        assert!(data(&fenced("json", "{a: 1}")).is_err());
        data(&fenced("toml", "[a]\nb = 1\n")).unwrap();
        assert!(data(&fenced("toml", "[a\n")).is_err());
    }

    #[test]
    fn shell_is_parsed_with_placeholders() {
        let inline = |text: &str| Snippet { document: "a.md".to_owned(), line: 1, form: Form::Inline, text: text.to_owned() };
        let texts = ["curl x <id> && cat <file.dump", "for n in 1 2; do curl $n", "rate(x[5m])", "curl 'x"];
        let outcome = shell(&texts.map(inline)).unwrap();
        assert_eq!((outcome.passed, outcome.failed), (1, 2));
        assert!(outcome.note.contains("for n in 1 2"), "{}", outcome.note);
        assert_eq!(without_placeholders("a <b c> <d.e >f"), "a b-c <d.e >f");
    }
}
