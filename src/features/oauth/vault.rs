//! Encryption of linked accounts' tokens, and its migration to a new key.

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::model::Tokens;
use super::store::{self, Kept, Sealed};
use crate::db::{Conn, StoreError};
use crate::sealing::{Keyring, Unopenable};

/// Seals and opens tokens. Clones share the keys.
#[derive(Clone)]
pub struct Vault(Keyring);

/// Tokens in plain text.
pub struct Opened {
    pub access: SecretString,
    pub refresh: Option<SecretString>,
}

impl Vault {
    pub fn new(keys: Keyring) -> Self {
        Self(keys)
    }

    pub fn keys(&self) -> &Keyring {
        &self.0
    }

    pub fn seal(&self, account: Uuid, tokens: &Tokens) -> Sealed {
        Sealed {
            access: self.0.seal(&access(account), tokens.access.expose_secret().as_bytes()),
            refresh: tokens.refresh.as_ref().map(|token| self.0.seal(&refresh(account), token.expose_secret().as_bytes())),
            expires_at: tokens.expires_at,
            scopes: tokens.scopes.clone(),
        }
    }

    pub fn open(&self, kept: &Kept) -> Result<Opened, Unopenable> {
        let open = |purpose: &str, sealed: &[u8]| {
            let text = String::from_utf8(self.0.open(purpose, sealed)?).map_err(|_| Unopenable)?;
            Ok(SecretString::from(text))
        };
        let opened = open(&access(kept.id), &kept.access)?;
        let refreshing = kept.refresh.as_deref().map(|sealed| open(&refresh(kept.id), sealed)).transpose()?;
        Ok(Opened { access: opened, refresh: refreshing })
    }

    /// Re-seals a batch of accounts that are sealed with an older key, within the caller's transaction. Returns their number. An account
    /// whose tokens no key opens is marked as expired and must be linked again.
    pub async fn reseal(&self, tx: &mut Conn) -> Result<usize, StoreError> {
        let older = store::hold_sealed_otherwise(tx, self.0.mark()).await?;
        for kept in &older {
            match self.open(kept) {
                Ok(Opened { access: opened, refresh: refreshing }) => {
                    let access = self.0.seal(&access(kept.id), opened.expose_secret().as_bytes());
                    let refresh = refreshing.map(|token| self.0.seal(&refresh(kept.id), token.expose_secret().as_bytes()));
                    store::reseal(tx, &Kept { id: kept.id, access, refresh }).await?;
                }
                Err(Unopenable) => store::expire(tx, kept).await?,
            }
        }
        Ok(older.len())
    }
}

fn access(account: Uuid) -> String {
    format!("access token of {account}")
}

fn refresh(account: Uuid) -> String {
    format!("refresh token of {account}")
}
