//! Accounts on the platforms: any account named in the consent form exists. All other data is derived from the name, except an e-mail
//! address that is given in the form.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::platform::Platform;

const LONGEST_NAME: usize = 64;
const LONGEST_EMAIL: usize = 254;

/// An account on a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its user name.
    pub name: String,
    /// Its e-mail address.
    pub email: String,
}

impl Account {
    /// An account from the fields of the consent form. A name may contain any character except control characters, so that clients
    /// can be tested with unusual names.
    ///
    /// # Errors
    /// A message that names the field and its constraint.
    pub fn new(name: Option<&str>, email: Option<&str>) -> Result<Self, &'static str> {
        let name = name.unwrap_or("ada").trim().to_owned();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err("account must have 1 to 64 characters, none of them a control character");
        }
        let email =
            email.map_or_else(|| format!("{}@example.com", name.replace(char::is_whitespace, ".")), |email| email.trim().to_owned());
        let has_form = email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if !has_form || email.len() > LONGEST_EMAIL || email.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("email must be an address of at most 254 bytes, such as ada@example.com");
        }
        Ok(Self { name, email })
    }

    /// The account's number on the platform, which in practice is unique. It fits into 48 bits, so that JSON numbers represent it exactly.
    pub fn number(&self, platform: Platform) -> u64 {
        let digest = Sha256::digest(format!("{}:{}", platform.name(), self.name));
        digest[..6].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The number as text, as ID tokens and most APIs contain it.
    pub fn subject(&self, platform: Platform) -> String {
        self.number(platform).to_string()
    }

    /// The display name: `ada` becomes Ada.
    pub fn display_name(&self) -> String {
        let mut letters = self.name.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }

    /// The number of followers: invented, but constant per account.
    pub fn followers(&self, platform: Platform) -> u64 {
        self.number(platform) % 9_000 + 100
    }

    /// The number of accounts it follows.
    pub fn following(&self, platform: Platform) -> u64 {
        self.number(platform) % 900 + 10
    }

    /// The name as a path segment.
    pub fn path(&self) -> String {
        self.name.bytes().fold(String::new(), |mut path, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                let _ = write!(path, "%{byte:02X}");
            }
            path
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_gets_an_address() {
        assert_eq!(Account::new(Some("Ada Lovelace"), None).unwrap().email, "Ada.Lovelace@example.com");
    }

    #[test]
    fn every_refusal_names_the_violated_constraint() {
        let name = |name: &str| Account::new(Some(name), None).map(|account| account.name);
        assert_eq!(name(" Zoë🦀 "), Ok("Zoë🦀".to_owned()));
        for (refused, constraint) in
            [(" ", "1 to 64 characters"), (&*"x".repeat(65), "1 to 64 characters"), ("a\u{7}da", "control character")]
        {
            assert!(name(refused).unwrap_err().contains(constraint), "{refused:?}");
        }
    }
}
