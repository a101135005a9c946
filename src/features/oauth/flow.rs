//! A flow is a sign-in, or the linking of an account, in progress. The browser that starts a flow keeps it in a sealed cookie. The service
//! therefore stores nothing for a started flow, and no other browser can finish the flow. The expected state leaves this file in three
//! forms only: in plain text for the authorization request, sealed for the cookie, and as a hash for the database.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::{CsrfToken, PkceCodeChallenge, PkceCodeVerifier};
use openidconnect::Nonce;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::ReturnTo;
use crate::domain::Platform;
use crate::sealing::Keyring;

/// The data against which the callback is checked.
#[derive(Serialize, Deserialize)]
pub struct Flow {
    pub platform: Platform,
    state: String,
    pub nonce: Nonce,
    pub verifier: PkceCodeVerifier,
    pub return_to: ReturnTo,
    /// The user to whom the account will be linked; `None` for a sign-in.
    pub link: Option<Uuid>,
    #[serde(with = "time::serde::timestamp")]
    pub expires_at: OffsetDateTime,
}

/// Why a callback cannot finish a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error("the browser sent no valid flow cookie for the platform")]
    Missing,
    #[error("the state is missing or belongs to another flow")]
    Mismatch,
    #[error("the flow has expired")]
    Expired,
    #[error("the state has already been used")]
    Used,
}

impl Flow {
    /// Creates a flow and the challenge for the platform (RFC 7636, S256).
    pub fn new(platform: Platform, return_to: ReturnTo, link: Option<Uuid>, lifetime: std::time::Duration) -> (Self, PkceCodeChallenge) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (state, nonce) = (CsrfToken::new_random_len(32).into_secret(), Nonce::new_random_len(32));
        let expires_at = OffsetDateTime::now_utc() + lifetime;
        (Self { platform, state, nonce, verifier, return_to, link, expires_at }, challenge)
    }

    /// The `state` parameter for the platform.
    pub fn state(&self) -> CsrfToken {
        CsrfToken::new(self.state.clone())
    }

    /// Seals the flow for the browser's cookie.
    pub fn seal(&self, keys: &Keyring) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(keys.seal(&purpose(self.platform), &text))
    }

    /// Opens the flow from a browser's cookie, if `state` matches and the flow has not expired.
    pub fn open(keys: &Keyring, platform: Platform, cookie: Option<&str>, state: Option<&str>) -> Result<Self, StateError> {
        let cookie = cookie.ok_or(StateError::Missing)?;
        let sealed = URL_SAFE_NO_PAD.decode(cookie).map_err(|_| StateError::Missing)?;
        let text = keys.open(&purpose(platform), &sealed).map_err(|_| StateError::Missing)?;
        let flow: Self = serde_json::from_slice(&text).map_err(|_| StateError::Missing)?;
        let state = state.ok_or(StateError::Mismatch)?;
        if !bool::from(flow.state.as_bytes().ct_eq(state.as_bytes())) {
            return Err(StateError::Mismatch);
        }
        if flow.expires_at <= OffsetDateTime::now_utc() {
            return Err(StateError::Expired);
        }
        Ok(flow)
    }

    /// The hash under which a used state is stored.
    pub fn state_hash(&self) -> Vec<u8> {
        Sha256::digest(&self.state).to_vec()
    }
}

/// The sealing purpose names the platform. The cookie therefore does not open for another platform (RFC 9700, 4.4: mix-up attacks).
fn purpose(platform: Platform) -> String {
    format!("oauth flow with {}", platform.name())
}
