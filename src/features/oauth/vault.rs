//! Encryption of the tokens of linked accounts, and re-encryption after a change of keys.

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::model::Tokens;
use super::store::{self, Sealed, StoredTokens};
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
            access: self.0.seal(&access_purpose(account), tokens.access.expose_secret().as_bytes()),
            refresh: tokens.refresh.as_ref().map(|token| self.0.seal(&refresh_purpose(account), token.expose_secret().as_bytes())),
            expires_at: tokens.expires_at,
            scopes: tokens.scopes.clone(),
        }
    }

    pub fn open(&self, stored: &StoredTokens) -> Result<Opened, Unopenable> {
        let open = |purpose: &str, sealed: &[u8]| {
            let text = String::from_utf8(self.0.open(purpose, sealed)?).map_err(|_| Unopenable)?;
            Ok(SecretString::from(text))
        };
        let access = open(&access_purpose(stored.id), &stored.access)?;
        let refresh = stored.refresh.as_deref().map(|sealed| open(&refresh_purpose(stored.id), sealed)).transpose()?;
        Ok(Opened { access, refresh })
    }

    /// Seals the tokens of a batch of accounts again, with the first key, within the caller's transaction. The batch consists of active
    /// accounts with a token that another key sealed. If no key opens an account's tokens, the account is marked as expired: its user must
    /// link it again. Returns the number of accounts in the batch, expired ones included.
    pub async fn reseal(&self, tx: &mut Conn) -> Result<usize, StoreError> {
        let accounts = store::lock_sealed_otherwise(tx, self.0.mark()).await?;
        for stored in &accounts {
            match self.open(stored) {
                Ok(Opened { access, refresh }) => {
                    let access = self.0.seal(&access_purpose(stored.id), access.expose_secret().as_bytes());
                    let refresh = refresh.map(|token| self.0.seal(&refresh_purpose(stored.id), token.expose_secret().as_bytes()));
                    store::reseal(tx, &StoredTokens { id: stored.id, access, refresh }).await?;
                }
                Err(Unopenable) => store::expire(tx, stored).await?,
            }
        }
        Ok(accounts.len())
    }
}

fn access_purpose(account: Uuid) -> String {
    format!("access token of {account}")
}

fn refresh_purpose(account: Uuid) -> String {
    format!("refresh token of {account}")
}
