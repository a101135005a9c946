//! Passwords: argon2id with the parameters that OWASP names as the least (19 MiB, two passes, one lane), a few at a time.
//!
//! A hash takes some 20 ms of a core and 19 MiB. Without a bound, a burst of logins would take every core and all memory.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::metrics::labels::Limiter;

/// Waiting longer than this for a place is being overloaded.
const PATIENCE: Duration = Duration::from_secs(2);

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    /// The hash of a password that nobody knows: verified when there is no account, so that it takes as long.
    nobody: Arc<str>,
    metrics: Metrics,
}

/// What came of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Right,
    /// Right, and stored with weaker parameters than today's.
    RightButOld,
    Wrong,
}

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("too many passwords at once")]
    Overloaded,
    #[error("the password could not be hashed")]
    Failed(#[source] argon2::password_hash::Error),
}

impl Passwords {
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(metrics: Metrics) -> Result<Self, PasswordError> {
        let places = std::thread::available_parallelism().map_or(1, usize::from);
        let nobody = hash(&rand::random::<u128>().to_string())?;
        Ok(Self { places: Arc::new(Semaphore::new(places)), nobody: nobody.into(), metrics })
    }

    /// The hash to store, as a PHC string.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        self.run(move || hash(password.expose_secret())).await?
    }

    /// Compares a password with a stored hash, or with nobody's.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<Verdict, PasswordError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.to_string());
        let verdict = self.run(move || verify(password.expose_secret(), &stored)).await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let Ok(Ok(place)) = tokio::time::timeout(PATIENCE, self.places.clone().acquire_owned()).await else {
            self.metrics.rate_limited.increment(Limiter::PasswordHashing);
            return Err(PasswordError::Overloaded);
        };
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        });
        done.await.map_err(|_| PasswordError::Overloaded)
    }
}

fn hash(password: &str) -> Result<String, PasswordError> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(PasswordError::Failed)
}

fn verify(password: &str, stored: &str) -> Result<Verdict, PasswordError> {
    let stored = PasswordHash::new(stored).map_err(|_| PasswordError::Failed(argon2::password_hash::Error::EncodingInvalid))?;
    match Argon2::default().verify_password(password.as_bytes(), &stored) {
        Ok(()) if Params::try_from(&stored).is_ok_and(|used| is_todays(&used)) => Ok(Verdict::Right),
        Ok(()) => Ok(Verdict::RightButOld),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(PasswordError::Failed(error)),
    }
}

fn is_todays(used: &Params) -> bool {
    let today = Params::default();
    (used.m_cost(), used.t_cost(), used.p_cost()) == (today.m_cost(), today.t_cost(), today.p_cost())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_made_with_weaker_parameters_is_right_but_old() {
        let weak = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, Params::new(8192, 1, 1, None).unwrap());
        let stored = weak.hash_password(b"correct horse").unwrap().to_string();
        assert_eq!(verify("correct horse", &stored).unwrap(), Verdict::RightButOld);
        assert_eq!(verify("wrong horse", &stored).unwrap(), Verdict::Wrong);
        assert_eq!(verify("correct horse", &hash("correct horse").unwrap()).unwrap(), Verdict::Right);
    }
}
