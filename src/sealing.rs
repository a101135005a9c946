//! Sealing: authenticated encryption (XChaCha20-Poly1305) of platform tokens in the database and of some cookies. Read access to the
//! database does not reveal the tokens. A browser cannot read a sealed cookie, and a changed cookie does not open.
//!
//! A sealed text begins with the identifier of its key, so that keys can be rotated. It opens only for the purpose for which it
//! was sealed, so a sealed text that is copied to another row does not open there.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const KEY_BYTES: usize = 32;
const NAME_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;

/// The sealing keys; clones share them.
#[derive(Clone)]
pub struct Keyring(Arc<[Key]>);

struct Key {
    name: [u8; NAME_BYTES],
    cipher: XChaCha20Poly1305,
}

/// `TOKEN_KEYS` is malformed.
#[derive(Debug, thiserror::Error)]
#[error("TOKEN_KEYS must contain one key per line, each 32 bytes in base64")]
pub struct InvalidKeys;

/// No key opens the sealed text, or it was sealed for another purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed text cannot be opened")]
pub struct Unopenable;

impl Keyring {
    /// Parses keys, one per line. The first key seals new texts; every key can open the texts that it has sealed.
    ///
    /// # Errors
    /// When there is no key, or a key is not 32 bytes in base64.
    pub fn parse(text: &SecretString) -> Result<Self, InvalidKeys> {
        let keys: Result<Vec<Key>, InvalidKeys> =
            text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty()).map(Key::parse).collect();
        keys.and_then(|keys| if keys.is_empty() { Err(InvalidKeys) } else { Ok(Self(keys.into())) })
    }

    /// The configured keys, or without configuration an ephemeral key.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn configured(text: Option<&SecretString>) -> Result<Self, InvalidKeys> {
        text.map_or_else(|| Ok(Self::ephemeral()), Self::parse)
    }

    /// A random key that lasts as long as the process.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self([Key::new(&rand::random())].into())
    }

    /// Seals a text with the first key.
    ///
    /// # Panics
    /// Never in practice: sealing fails only for texts of many gigabytes.
    #[must_use]
    pub fn seal(&self, purpose: &str, text: &[u8]) -> Vec<u8> {
        let Key { name, cipher } = &self.0[0];
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: text, aad: purpose.as_bytes() };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).expect("the text is short");
        [&name[..], &nonce, &sealed].concat()
    }

    /// Opens a text that one of the keys has sealed for this purpose.
    ///
    /// # Errors
    /// When its key is unknown, its purpose differs, or the text was changed.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, Unopenable> {
        let (name, rest) = sealed.split_first_chunk::<NAME_BYTES>().ok_or(Unopenable)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Unopenable)?;
        let key = self.0.iter().find(|key| key.name == *name).ok_or(Unopenable)?;
        key.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: purpose.as_bytes() }).map_err(|_| Unopenable)
    }

    /// The prefix of every text that the first key has sealed.
    #[must_use]
    pub fn mark(&self) -> &[u8] {
        &self.0[0].name
    }
}

impl Key {
    fn parse(line: &str) -> Result<Self, InvalidKeys> {
        let bytes: [u8; KEY_BYTES] = STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(InvalidKeys)?;
        Ok(Self::new(&bytes))
    }

    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        Self { name: *hash.first_chunk().unwrap_or(&[0; NAME_BYTES]), cipher: XChaCha20Poly1305::new(bytes.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(byte: u8) -> String {
        STANDARD.encode([byte; KEY_BYTES])
    }

    fn keyring(lines: &[u8]) -> Keyring {
        let text: Vec<String> = lines.iter().map(|byte| line(*byte)).collect();
        Keyring::parse(&text.join("\n").into()).unwrap()
    }

    #[test]
    fn a_sealed_text_opens_only_for_its_purpose() {
        let keys = keyring(&[1]);
        let sealed = keys.seal("account 1", b"token");
        assert_eq!(keys.open("account 1", &sealed).unwrap(), b"token");
        assert_eq!(keys.open("account 2", &sealed), Err(Unopenable));
        assert_ne!(sealed, keys.seal("account 1", b"token"));
    }

    #[test]
    fn a_changed_or_cut_text_does_not_open() {
        let keys = keyring(&[1]);
        let sealed = keys.seal("p", b"token");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(keys.open("p", &changed), Err(Unopenable), "byte {at}");
            assert_eq!(keys.open("p", &sealed[..at]), Err(Unopenable), "cut at {at}");
        }
    }

    #[test]
    fn an_old_key_listed_after_a_new_key_opens_old_texts_but_seals_no_new_ones() {
        let old = keyring(&[1]).seal("p", b"token");
        let both = keyring(&[2, 1]);
        assert_eq!(both.open("p", &old).unwrap(), b"token");
        assert!(!old.starts_with(both.mark()) && both.seal("p", b"token").starts_with(both.mark()));
        assert_eq!(keyring(&[2]).open("p", &old), Err(Unopenable));
    }

    #[test]
    fn missing_or_malformed_keys_are_refused() {
        for text in ["", "\n", "c2hvcnQ=", "not base64", &format!("{}\nc2hvcnQ=", line(1))] {
            assert!(Keyring::parse(&text.to_owned().into()).is_err(), "{text}");
        }
    }
}
