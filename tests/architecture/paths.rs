//! Reads the paths that a file names: in `use` lines, in code and in the arguments of macros, but not in comments and strings.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module of a crate: `["db", "conn"]` is `crate::db::conn`.
pub type Module = Vec<String>;

/// A path as a module names it, from the root of its crate. A path of another crate looks like a path below the module.
pub struct Mention {
    pub path: Vec<String>,
    /// The name that a `pub use` gives it.
    pub reexported_as: Option<String>,
}

/// Every path in the code of a module, inline modules included.
pub fn mentions(code: TokenStream, module: &[String]) -> Vec<Mention> {
    let mut found = Vec::new();
    read(&code.into_iter().collect::<Vec<_>>(), module, &mut found);
    found
}

fn read(tokens: &[TokenTree], module: &[String], found: &mut Vec<Mention>) {
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at..] {
            [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(body), ..] if word == "mod" => {
                let inline = [module, &[name.to_string()]].concat();
                read(&body.stream().into_iter().collect::<Vec<_>>(), &inline, found);
                at += 3;
            }
            [TokenTree::Ident(word), rest @ ..] if word == "use" && !is_punct(rest.first(), '<') => {
                let length = rest.iter().take_while(|token| !is_punct(Some(token), ';')).count();
                let is_public = matches!(&tokens[..at], [.., TokenTree::Ident(before)] if before == "pub")
                    || matches!(&tokens[..at], [.., TokenTree::Ident(before), TokenTree::Group(_)] if before == "pub");
                read_use(&rest[..length], &[], module, is_public, found);
                at += 1 + length;
            }
            [TokenTree::Ident(_), ..] => {
                let (segments, length) = path(&tokens[at..]);
                if segments.len() > 1 {
                    found.push(Mention { path: absolute(&segments, module), reexported_as: None });
                }
                at += length;
            }
            [TokenTree::Group(group), ..] => {
                read(&group.stream().into_iter().collect::<Vec<_>>(), module, found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Reads `a::b::{self, c as d}` below `prefix`.
fn read_use(tree: &[TokenTree], prefix: &[String], module: &[String], is_public: bool, found: &mut Vec<Mention>) {
    for branch in tree.split(|token| is_punct(Some(token), ',')).filter(|branch| !branch.is_empty()) {
        let (segments, length) = path(branch);
        let mut segments = [prefix, &segments].concat();
        match &branch[length..] {
            [.., TokenTree::Group(branches)] if branches.delimiter() == Delimiter::Brace => {
                read_use(&branches.stream().into_iter().collect::<Vec<_>>(), &segments, module, is_public, found);
            }
            rest => {
                if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
                    segments.pop();
                }
                let name = match rest {
                    [TokenTree::Ident(word), TokenTree::Ident(alias)] if word == "as" => alias.to_string(),
                    _ => segments.last().cloned().unwrap_or_default(),
                };
                found.push(Mention { path: absolute(&segments, module), reexported_as: is_public.then_some(name) });
            }
        }
    }
}

/// The path at the start of the tokens, and the number of its tokens.
fn path(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let (mut segments, mut at) = (Vec::new(), 0);
    while let Some(TokenTree::Ident(segment)) = tokens.get(at) {
        segments.push(segment.to_string());
        at += 1;
        if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':') && matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))))
        {
            break;
        }
        at += 2;
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

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}
