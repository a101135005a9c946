//! The people of the platforms: whoever the consent form names exists, and all that is told of them follows from the name.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::platform::Platform;

const LONGEST_NAME: usize = 64;
const LONGEST_EMAIL: usize = 254;

/// Somebody on a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What they are called there.
    pub name: String,
    /// Their address.
    pub email: String,
}

impl Account {
    /// Somebody by what stands in the consent form; any text makes a name, so that clients can be shown strange ones.
    ///
    /// # Errors
    /// A sentence that names the field and what it wants.
    pub fn new(name: Option<&str>, email: Option<&str>) -> Result<Self, &'static str> {
        let name = name.unwrap_or("ada").trim().to_owned();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err("account wants 1 to 64 characters");
        }
        let email = email.map_or_else(|| format!("{name}@example.com"), |email| email.trim().to_owned());
        let has_form = email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if !has_form || email.len() > LONGEST_EMAIL || email.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("email wants an address such as ada@example.com");
        }
        Ok(Self { name, email })
    }

    /// The number that the platform will never give to anybody else. It fits into 48 bits, so that JSON can hold it.
    pub fn number(&self, platform: Platform) -> u64 {
        let digest = Sha256::digest(format!("{}:{}", platform.name(), self.name));
        digest[..6].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// That number as the text that tokens and APIs carry.
    pub fn subject(&self, platform: Platform) -> String {
        self.number(platform).to_string()
    }

    /// The name for people: `ada` is called Ada.
    pub fn display_name(&self) -> String {
        let mut letters = self.name.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }

    /// How many follow them: as made up as they are, and always the same.
    pub fn followers(&self, platform: Platform) -> u64 {
        self.number(platform) % 9_000 + 100
    }

    /// How many they follow.
    pub fn following(&self, platform: Platform) -> u64 {
        self.number(platform) % 900 + 10
    }

    /// The name as a part of a path.
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
