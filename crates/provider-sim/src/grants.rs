//! Grants, and the codes and tokens that represent them. Callers pass the current time: this module reads no clock.
//!
//! A code and all tokens issued from it form a family. When a family ends, all of its tokens become invalid.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::account::Account;

/// Lifetime of a code.
const CODE_LIFETIME: Duration = Duration::from_mins(1);

/// An account owner's consent.
#[derive(Debug)]
pub struct Grant {
    /// The account.
    pub account: Account,
    /// The granted scopes.
    pub scopes: Vec<&'static str>,
    /// The nonce for the ID token.
    pub nonce: Option<String>,
    /// The code challenge: SHA-256 of the verifier, encoded as in RFC 7636.
    pub challenge: String,
    /// The redirect URI that the code was sent to.
    pub redirect_uri: String,
}

/// The codes and tokens of a platform.
#[derive(Default)]
pub struct Grants {
    codes: HashMap<String, Code>,
    families: HashMap<Family, Arc<Grant>>,
    access_tokens: HashMap<String, AccessToken>,
    refresh_tokens: HashMap<String, RefreshToken>,
    last_family: Family,
}

type Family = u64;
/// New tokens, their grant, and the scopes of the access token.
type Refreshed = (Tokens, Arc<Grant>, Vec<&'static str>);

struct Code {
    family: Family,
    grant: Arc<Grant>,
    expires_at: Instant,
    is_used: bool,
}

struct AccessToken {
    family: Family,
    scopes: Vec<&'static str>,
    expires_at: Instant,
}

struct RefreshToken {
    family: Family,
    is_used: bool,
}

/// A new pair of tokens.
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

/// Why a code or a refresh token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It was never issued, or is no longer valid.
    Unknown,
    /// It was used before. Its family has now ended.
    Reused,
    /// The redirect URI differs from the one of the authorization request.
    RedirectUri,
    /// The verifier does not match the challenge.
    Verifier,
    /// A requested scope is not in the grant.
    Scope,
}

impl Grants {
    /// Issues a code for a grant.
    pub fn issue_code(&mut self, grant: Grant, now: Instant) -> String {
        self.last_family += 1;
        let code = secret();
        self.codes.insert(
            code.clone(),
            Code { family: self.last_family, grant: Arc::new(grant), expires_at: now + CODE_LIFETIME, is_used: false },
        );
        code
    }

    /// Issues a code that counts as used, so that its first exchange fails.
    pub fn issue_used_code(&mut self, grant: Grant, now: Instant) -> String {
        let code = self.issue_code(grant, now);
        if let Some(code) = self.codes.get_mut(&code) {
            code.is_used = true;
        }
        code
    }

    /// Exchanges a code for tokens. Every attempt, even a failed one, invalidates the code (RFC 6749, 4.1.2).
    pub fn redeem(
        &mut self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        lifetime: Duration,
        now: Instant,
    ) -> Result<(Tokens, Arc<Grant>), Refused> {
        let code = self.codes.get_mut(code).ok_or(Refused::Unknown)?;
        if code.is_used {
            self.families.remove(&code.family);
            return Err(Refused::Reused);
        }
        code.is_used = true;
        let (family, grant) = (code.family, code.grant.clone());
        if now >= code.expires_at {
            return Err(Refused::Unknown);
        }
        if redirect_uri != grant.redirect_uri {
            return Err(Refused::RedirectUri);
        }
        if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) != grant.challenge {
            return Err(Refused::Verifier);
        }
        self.families.insert(family, grant.clone());
        Ok((self.issue_tokens(family, grant.scopes.clone(), lifetime, now), grant))
    }

    /// Exchanges the newest refresh token of a family for new tokens, and invalidates the exchanged one. `requested` may be a subset of
    /// the grant's scopes (RFC 6749, 6). If `requested` contains another scope, the exchange fails and the refresh token stays valid.
    pub fn refresh(
        &mut self,
        token: &str,
        requested: Option<Vec<&'static str>>,
        lifetime: Duration,
        now: Instant,
    ) -> Result<Refreshed, Refused> {
        let token = self.refresh_tokens.get_mut(token).ok_or(Refused::Unknown)?;
        let family = token.family;
        if token.is_used {
            // Either the client or an attacker has the newer token, and the server cannot know which one (RFC 9700, 4.14.2).
            self.families.remove(&family);
            return Err(Refused::Reused);
        }
        let grant = self.families.get(&family).ok_or(Refused::Unknown)?.clone();
        let scopes = requested.unwrap_or_else(|| grant.scopes.clone());
        if scopes.iter().any(|scope| !grant.scopes.contains(scope)) {
            return Err(Refused::Scope);
        }
        token.is_used = true;
        Ok((self.issue_tokens(family, scopes.clone(), lifetime, now), grant, scopes))
    }

    /// The grant and the scopes of a valid access token.
    pub fn access(&self, token: &str, now: Instant) -> Option<(Arc<Grant>, Vec<&'static str>)> {
        let token = self.access_tokens.get(token).filter(|token| now < token.expires_at)?;
        Some((self.families.get(&token.family)?.clone(), token.scopes.clone()))
    }

    /// Revokes a token: an access token alone, a refresh token with its whole family (RFC 7009, 2.1). Returns false if the token is unknown
    /// or its family has ended.
    pub fn revoke(&mut self, token: &str) -> bool {
        if let Some(token) = self.refresh_tokens.get(token) {
            return self.families.remove(&token.family).is_some();
        }
        self.access_tokens.remove(token).is_some_and(|token| self.families.contains_key(&token.family))
    }

    fn issue_tokens(&mut self, family: Family, scopes: Vec<&'static str>, lifetime: Duration, now: Instant) -> Tokens {
        let tokens = Tokens { access: secret(), refresh: secret() };
        self.access_tokens.insert(tokens.access.clone(), AccessToken { family, scopes, expires_at: now + lifetime });
        self.refresh_tokens.insert(tokens.refresh.clone(), RefreshToken { family, is_used: false });
        tokens
    }
}

/// 256 random bits in base64url.
fn secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "verifier";
    const ADDRESS: &str = "https://vitrine.example/callback";
    const HOUR: Duration = Duration::from_hours(1);

    fn grant() -> Grant {
        Grant {
            account: Account::new(None, None).unwrap(),
            scopes: vec!["openid"],
            nonce: None,
            challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER)),
            redirect_uri: ADDRESS.to_owned(),
        }
    }

    #[test]
    fn a_code_expires_after_a_minute() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let codes = [grants.issue_code(grant(), now), grants.issue_code(grant(), now)];
        let in_time = now + Duration::from_secs(59);
        assert!(grants.redeem(&codes[0], ADDRESS, VERIFIER, HOUR, in_time).is_ok());
        assert_eq!(grants.redeem(&codes[1], ADDRESS, VERIFIER, HOUR, now + CODE_LIFETIME).err(), Some(Refused::Unknown));
    }

    #[test]
    fn reuse_of_an_expired_code_still_invalidates_its_tokens() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let code = grants.issue_code(grant(), now);
        let (tokens, _) = grants.redeem(&code, ADDRESS, VERIFIER, HOUR, now).ok().unwrap();
        let later = now + CODE_LIFETIME * 2;
        assert!(grants.access(&tokens.access, later).is_some());
        assert_eq!(grants.redeem(&code, ADDRESS, VERIFIER, HOUR, later).err(), Some(Refused::Reused));
        assert!(grants.access(&tokens.access, later).is_none());
    }

    #[test]
    fn an_access_token_expires_after_its_lifetime_and_its_refresh_token_stays_valid() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let code = grants.issue_code(grant(), now);
        let (tokens, _) = grants.redeem(&code, ADDRESS, VERIFIER, HOUR, now).ok().unwrap();
        assert!(grants.access(&tokens.access, now + Duration::from_secs(3599)).is_some());
        assert!(grants.access(&tokens.access, now + HOUR).is_none());
        let (fresh, _, scopes) = grants.refresh(&tokens.refresh, None, HOUR, now + HOUR).ok().unwrap();
        assert_eq!(scopes, ["openid"]);
        assert!(grants.access(&fresh.access, now + HOUR).is_some());
    }
}
