//! Canaries: texts that clients send or receive, and the secrets of the stack. The kind of a canary decides whether operators may see it.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use devstack::paths;

/// The kind of a canary, which decides where it may appear (docs/OPERATIONS.md, "What operators see of clients").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Gives access: a password, a token, a cookie, a code. No operator may see it.
    Secret,
    /// Says something about a person: an e-mail address, a name, a text. It stays in the database.
    Personal,
    /// Anything else that a client sent, in a query, a header or a body. No operator may see it.
    Request,
    /// A part of a path. Only the access log of the edge has it.
    Path,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Secret, Self::Personal, Self::Request, Self::Path];

    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Personal => "personal",
            Self::Request => "request",
            Self::Path => "path",
        }
    }
}

/// A text to search for.
pub struct Canary {
    pub kind: Kind,
    /// A description, such as `password of an account`.
    pub what: &'static str,
    pub text: String,
}

impl Canary {
    /// Whether a text contains the canary, as plain text or in Base64 at any offset.
    pub fn is_in(&self, text: &str) -> bool {
        text.contains(&self.text) || (0..3).any(|offset| text.contains(&in_base64(&self.text, offset)))
    }
}

/// The Base64 characters that depend on this text alone, if `offset` other bytes are encoded before it.
fn in_base64(text: &str, offset: usize) -> String {
    let whole = STANDARD_NO_PAD.encode([&vec![0; offset][..], text.as_bytes()].concat());
    // A character holds six bits. Characters that share bits with bytes before or after the text are left out.
    let (first, end) = ((offset * 8).div_ceil(6), (offset + text.len()) * 8 / 6);
    whole[first..end].to_owned()
}

/// All canaries.
#[derive(Default)]
pub struct Canaries(Vec<Canary>);

impl Canaries {
    /// Adds a new random text and returns it, so that a client can send it.
    pub fn plant(&mut self, kind: Kind, what: &'static str) -> Result<String> {
        let text = paths::random_password()?;
        self.keep(kind, what, text.clone());
        Ok(text)
    }

    /// Adds a text that exists already, such as a token from the service.
    pub fn keep(&mut self, kind: Kind, what: &'static str, text: impl Into<String>) {
        self.0.push(Canary { kind, what, text: text.into() });
    }

    /// The canaries of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Canary> {
        self.0.iter().filter(move |canary| canary.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_canary_is_found_in_plain_text_and_in_base64() {
        let canary = Canary { kind: Kind::Secret, what: "password", text: "c0ffee00c0ffee00c0ffee00".to_owned() };
        assert!(canary.is_in("login c0ffee00c0ffee00c0ffee00 failed"));
        for user in ["a:", "ad:", "ada:"] {
            let header = STANDARD.encode(format!("{user}{}:x", canary.text));
            assert!(canary.is_in(&format!("Authorization: Basic {header}")), "{user}");
        }
        assert!(!canary.is_in("c0ffee"));
        assert!(!canary.is_in(&STANDARD.encode("ada:another password altogether")));
    }
}
