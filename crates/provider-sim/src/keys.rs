//! Signs ID tokens (RS256), and makes the invalid signatures that a [`Lie`] requires. All platforms share one key, generated at start-up.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{EncodePublicKey, LineEnding};
use rsa::signature::{SignatureEncoding, Signer};
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, rand_core};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::knobs::Lie;

const BITS: usize = 2048;

/// The published key, and an unpublished one for [`Lie::UnknownKey`], which is generated on first use.
pub struct Keys {
    own: Key,
    stranger: OnceCell<Key>,
}

struct Key {
    id: String,
    private: RsaPrivateKey,
}

impl Keys {
    /// Generates the published key. This can take most of a second.
    pub async fn generate() -> io::Result<Self> {
        Ok(Self { own: Key::generate().await?, stranger: OnceCell::new() })
    }

    /// The public part of the published key, as a JWK (RFC 7517).
    pub fn published(&self) -> Value {
        let public = &self.own.private;
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.own.id,
            "n": URL_SAFE_NO_PAD.encode(public.n().to_bytes_be()),
            "e": URL_SAFE_NO_PAD.encode(public.e().to_bytes_be()),
        })
    }

    /// Encodes and signs the claims as a JWT (RFC 7519). The signature is valid unless `lie` is about signatures.
    ///
    /// # Errors
    /// When the key for a lie cannot be generated or encoded.
    pub async fn sign(&self, claims: &Map<String, Value>, lie: Option<Lie>) -> io::Result<String> {
        let own = &self.own;
        Ok(match lie {
            Some(Lie::AlgNone) => token("none", &own.id, claims, |_| Vec::new()),
            Some(Lie::Hs256) => {
                let secret = own.private.to_public_key().to_public_key_pem(LineEnding::LF).map_err(io::Error::other)?;
                let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(io::Error::other)?;
                token("HS256", &own.id, claims, |text| mac.chain_update(text).finalize().into_bytes().to_vec())
            }
            Some(Lie::Signature) => token("RS256", &own.id, claims, |text| {
                let mut signature = own.sign(text);
                signature[0] ^= 1;
                signature
            }),
            Some(Lie::UnknownKey) => {
                let stranger = self.stranger.get_or_try_init(Key::generate).await?;
                token("RS256", &stranger.id, claims, |text| stranger.sign(text))
            }
            _ => token("RS256", &own.id, claims, |text| own.sign(text)),
        })
    }
}

impl Key {
    async fn generate() -> io::Result<Self> {
        let made = tokio::task::spawn_blocking(|| RsaPrivateKey::new(&mut rand_core::OsRng, BITS)).await;
        let private = made.map_err(io::Error::other)?.map_err(io::Error::other)?;
        let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(private.n().to_bytes_be())[..12]);
        Ok(Self { id, private })
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        SigningKey::<rsa::sha2::Sha256>::new(self.private.clone()).sign(text).to_vec()
    }
}

fn token(algorithm: &str, key: &str, claims: &Map<String, Value>, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT", "kid": key });
    let text =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(Value::Object(claims.clone()).to_string()));
    let signature = sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
