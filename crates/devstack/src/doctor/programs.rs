//! Programs: Rust with its components, the tools that `tools` lists, and the packages of the browser bundle.

use super::Finding;
use crate::process::{capture, task};
use crate::tools::{State, Tool, can_install, numbers_in};
use crate::web;

/// Rust and the components that the checks before a commit use. Rust is new enough, because an older version could not have compiled this
/// program.
#[must_use]
pub fn rust() -> Vec<Finding> {
    let component = |name: &str, program: &str, command: Option<&str>, advice: &str| {
        let found = capture(task(program).args(command).arg("--version")).ok().filter(|captured| captured.success);
        match found {
            Some(captured) => Finding::fine(name, numbers_in(&captured.text).unwrap_or("installed")),
            None => Finding::lacking(name, "missing", advice),
        }
    };
    vec![
        component("rust", "rustc", None, "install Rust from https://rustup.rs"),
        component("rustfmt", "cargo", Some("fmt"), "rustup component add rustfmt"),
        component("clippy", "cargo", Some("clippy"), "rustup component add clippy"),
    ]
}

/// The state of tools. `command` is the advice for tools that it can install on this machine. If `requires` is true, a missing tool that it
/// cannot install is `Blocking`.
#[must_use]
pub fn tools(tools: &[&Tool], command: &str, requires: bool) -> Vec<Finding> {
    tools.iter().map(|tool| state_of(tool, command, requires)).collect()
}

fn state_of(tool: &Tool, command: &str, requires: bool) -> Finding {
    let state = match tool.state() {
        State::Found(path, version) => {
            return Finding::fine(tool.name, format!("{} at {}", version.unwrap_or_default(), path.display()).trim_start());
        }
        State::Old(path, version, least) => format!("{version} at {}, older than {least}", path.display()),
        State::Missing => "missing".to_owned(),
    };
    if can_install(tool) {
        Finding::lacking(tool.name, state, command)
    } else {
        let finding = Finding::lacking(tool.name, state, tool.install_line());
        if requires { finding.blocking() } else { finding }
    }
}

/// The packages that build the browser bundle.
#[must_use]
pub fn web_packages() -> Finding {
    let what = "packages of web/";
    if web::has_packages() {
        Finding::fine(what, "installed")
    } else {
        Finding::lacking(what, "missing or older than web/package-lock.json", "cargo xtask web --install")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::tools::NODE;

    #[test]
    fn an_installed_tool_is_shown_with_its_version() {
        let found = &tools(&[&NODE], "install it", true)[0];
        assert_eq!(found.verdict, Verdict::Fine, "{found:?}");
        assert!(found.state.contains(" at /"), "{found:?}");
    }

    #[test]
    fn rust_compiles_this_test_and_is_shown_with_its_version() {
        let rust = &rust()[0];
        assert_eq!(rust.verdict, Verdict::Fine, "{rust:?}");
        assert!(rust.state.starts_with("1."), "{rust:?}");
    }
}
