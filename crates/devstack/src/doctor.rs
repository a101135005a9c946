//! Finds what this machine lacks for `cargo xtask up`, for the tests and for Docker. `doctor/programs` checks programs. `doctor/machine`
//! checks disk, ports, running stacks and Docker. The verb `doctor` selects the programs and prints the findings.

mod machine;
mod programs;

use std::fmt::Write as _;

pub use machine::{disk, docker, ports, stacks};
pub use programs::{rust, tools, web_packages};

/// The consequence of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do.
    Fine,
    /// Something is missing, but `cargo xtask up --install` installs it or starts without it.
    Lacking,
    /// `cargo xtask up --install` cannot start.
    Blocking,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Lacking => "lacking",
            Self::Blocking => "BLOCKING",
        }
    }
}

/// One line of the report.
#[derive(Debug)]
pub struct Finding {
    /// Its consequence.
    pub verdict: Verdict,
    /// The program, the port or the resource.
    pub what: String,
    /// Its state: a version and a path, free space, the holder of a port.
    pub state: String,
    /// What to do; empty if there is nothing to do.
    pub advice: String,
}

impl Finding {
    fn fine(what: impl Into<String>, state: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fine, what: what.into(), state: state.into(), advice: String::new() }
    }

    fn lacking(what: impl Into<String>, state: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Lacking, advice: advice.into(), ..Self::fine(what, state) }
    }

    /// The same finding with the verdict `Blocking`.
    fn blocking(self) -> Self {
        Self { verdict: Verdict::Blocking, ..self }
    }
}

/// Findings under one heading.
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// One line each.
    pub findings: Vec<Finding>,
}

/// Whether `cargo xtask up --install` can start.
#[must_use]
pub fn can_start(sections: &[Section]) -> bool {
    sections.iter().flat_map(|section| &section.findings).all(|finding| finding.verdict != Verdict::Blocking)
}

/// The sections as text: a line for each finding.
#[must_use]
pub fn text(sections: &[Section]) -> String {
    let findings = || sections.iter().flat_map(|section| &section.findings);
    let width = |of: fn(&Finding) -> &str| findings().map(|finding| of(finding).chars().count()).max().unwrap_or_default();
    let (what, state) = (width(|finding| &finding.what), width(|finding| if finding.advice.is_empty() { "" } else { &finding.state }));
    let mut text = String::new();
    for section in sections {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", section.title);
        for finding in &section.findings {
            let line = format!("  {:8}  {:what$}  {:state$}  {}", finding.verdict.word(), finding.what, finding.state, finding.advice);
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_blocking_finding_prevents_a_start() {
        let section = |finding| Section { title: "Programs", findings: vec![Finding::fine("node", "18.19.0"), finding] };
        let lacking = || Finding::lacking("k6", "missing", "cargo xtask up --install");
        assert!(can_start(&[section(lacking())]));
        assert!(!can_start(&[section(lacking().blocking())]));
    }

    #[test]
    fn a_finding_is_a_line_with_its_advice() {
        let findings = vec![Finding::fine("node", "18.19.0"), Finding::lacking("caddy", "missing", "install it")];
        let expected = "Programs\n  ok        node   18.19.0\n  lacking   caddy  missing  install it\n\n";
        assert_eq!(text(&[Section { title: "Programs", findings }]), expected);
    }
}
