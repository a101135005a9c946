//! Reads the paths that a file names: in `use` lines, in code and in the arguments of macros, but not in comments and strings.

use super::tokens::{is_name, tokens};

/// A module of a crate: `["db", "conn"]` is `crate::db::conn`.
pub type Module = Vec<String>;

/// A path that a module names, rewritten to begin at the root of its crate. A path of another crate looks like a path below the module.
pub struct Mention {
    pub path: Vec<String>,
    /// The name under which a `pub use` re-exports the path; `*` for all names below it.
    pub reexported_as: Option<String>,
}

/// Every path in the code of a module and of its inline modules. A single name counts as a path only in a `use` line.
pub fn mentions(code: &str, module: &[String]) -> Vec<Mention> {
    let tokens = tokens(code);
    let mut here = module.to_vec();
    // The depth of braces at which each inline module around the current token begins.
    let (mut inline, mut depth) = (Vec::new(), 0);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        at += match &tokens[at..] {
            ["mod", name, "{", ..] => {
                here.push((*name).to_owned());
                inline.push(depth);
                depth += 1;
                3
            }
            ["{", ..] => {
                depth += 1;
                1
            }
            ["}", ..] => {
                depth -= 1;
                if inline.pop_if(|begin| *begin == depth).is_some() {
                    here.pop();
                }
                1
            }
            // `use<'a>` does not match: it captures a lifetime and imports nothing.
            ["use", next, ..] if *next != "<" => {
                let length = tokens[at..].iter().take_while(|token| **token != ";").count();
                let is_public = matches!(&tokens[..at], [.., "pub"] | [.., "pub", "(", _, ")"]);
                read_use(&tokens[at + 1..at + length], &[], &here, is_public, &mut found);
                length
            }
            rest => {
                let (segments, length) = path(rest);
                if segments.len() > 1 {
                    found.push(Mention { path: absolute(&segments, &here), reexported_as: None });
                }
                length.max(1)
            }
        };
    }
    found
}

/// Reads `a::b::{self, c as d}` below `prefix`.
fn read_use(tree: &[&str], prefix: &[String], module: &[String], is_public: bool, found: &mut Vec<Mention>) {
    for branch in branches(tree) {
        let (segments, length) = path(branch);
        let mut segments = [prefix, &segments].concat();
        let name = match &branch[length..] {
            ["::", "{", inner @ .., "}"] | ["{", inner @ .., "}"] => {
                read_use(inner, &segments, module, is_public, found);
                continue;
            }
            ["as", alias] => (*alias).to_owned(),
            ["::", "*"] => "*".to_owned(),
            _ => segments.last().cloned().unwrap_or_default(),
        };
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        found.push(Mention { path: absolute(&segments, module), reexported_as: is_public.then_some(name) });
    }
}

/// The parts of a `use` tree between its commas. Commas in braces do not count.
fn branches<'a>(tree: &'a [&'a str]) -> impl Iterator<Item = &'a [&'a str]> {
    let mut depth = 0;
    let parts = tree.split(move |token| {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        *token == "," && depth == 0
    });
    parts.filter(|branch| !branch.is_empty())
}

/// The path at the start of the tokens, and the number of its tokens.
fn path(tokens: &[&str]) -> (Vec<String>, usize) {
    let (mut segments, mut at) = (Vec::new(), 0);
    while let Some(segment) = tokens.get(at).filter(|token| is_name(token)) {
        segments.push((*segment).to_owned());
        at += 1;
        if !matches!(&tokens[at..], ["::", next, ..] if is_name(next)) {
            break;
        }
        at += 1;
    }
    (segments, at)
}

fn absolute(segments: &[String], module: &[String]) -> Vec<String> {
    let ups = segments.iter().take_while(|segment| *segment == "super").count();
    match segments.first().map(String::as_str) {
        Some("crate") => segments[1..].to_vec(),
        Some("self") => [module, &segments[1..]].concat(),
        _ => [&module[..module.len().saturating_sub(ups)], &segments[ups..]].concat(),
    }
}
