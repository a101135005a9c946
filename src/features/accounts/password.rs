//! Passwords: argon2id with the parameters that OWASP names as the least (19 MiB, two passes, one lane), a few at a time.
//!
//! A hash takes some 20 ms of a core and 19 MiB. Without a bound, a burst of logins would take every core and all memory.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{AcquireError, Semaphore};

use crate::metrics::Metrics;
use crate::metrics::labels::Limiter;

/// Whose passwords are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Those who have an account: they may use every place.
    Logins,
    /// Those who want one, whoever they are: they share half of the places.
    Registrations,
}

impl Share {
    /// Waiting longer than this for a place is being overloaded. Who signs up waits for fewer places, and for longer.
    const fn patience(self) -> Duration {
        match self {
            Self::Logins => Duration::from_secs(2),
            Self::Registrations => Duration::from_secs(5),
        }
    }
}

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    registrations: Arc<Semaphore>,
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
        // Two at least, or there would be nothing to keep for logins.
        let places = std::thread::available_parallelism().map_or(1, usize::from).max(2);
        let nobody = hash(&rand::random::<u128>().to_string())?;
        let (places, registrations) = (Semaphore::new(places), Semaphore::new(places / 2));
        Ok(Self { places: places.into(), registrations: registrations.into(), nobody: nobody.into(), metrics })
    }

    /// The hash to store, as a PHC string.
    pub async fn hash(&self, share: Share, password: SecretString) -> Result<String, PasswordError> {
        self.run(share, move || hash(password.expose_secret())).await?
    }

    /// Compares a password with a stored hash, or with nobody's.
    pub async fn verify(&self, share: Share, password: SecretString, stored: Option<String>) -> Result<Verdict, PasswordError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.to_string());
        let verdict = self.run(share, move || verify(password.expose_secret(), &stored)).await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn run<T: Send + 'static>(&self, share: Share, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        // Places are given in the order in which they are asked for: registrations wait here, and not in the way of logins.
        let place = async {
            let registration = match share {
                Share::Registrations => Some(self.registrations.clone().acquire_owned().await?),
                Share::Logins => None,
            };
            Ok::<_, AcquireError>((registration, self.places.clone().acquire_owned().await?))
        };
        let Ok(Ok(place)) = tokio::time::timeout(share.patience(), place).await else {
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
    use crate::metrics::exporter::Exporter;

    /// Before, a registration took any place, and all of them together took all.
    #[tokio::test]
    async fn registrations_leave_places_to_logins() {
        let metrics = Exporter::new().unwrap().metrics();
        let passwords = Passwords::new(metrics).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let begun = Arc::new(tokio::sync::Semaphore::new(0));
        let registrations: Vec<_> = (0..100)
            .map(|_| {
                let (passwords, held, begun) = (passwords.clone(), held.clone(), begun.clone());
                tokio::spawn(async move {
                    let work = move || {
                        begun.add_permits(1);
                        let _released = held.lock().unwrap().recv();
                    };
                    passwords.run(Share::Registrations, work).await
                })
            })
            .collect();
        drop(begun.acquire().await.unwrap());
        // Every registration has asked for its place by now or waits for another one's.
        let login = passwords.run(Share::Logins, || "in").await;
        assert_eq!(login.unwrap(), "in");
        drop(release);
        for registration in registrations {
            // In time or too late: none was in the way.
            let _ended = registration.await.unwrap();
        }
    }

    #[test]
    fn a_hash_made_with_weaker_parameters_is_right_but_old() {
        let weak = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, Params::new(8192, 1, 1, None).unwrap());
        let stored = weak.hash_password(b"correct horse").unwrap().to_string();
        assert_eq!(verify("correct horse", &stored).unwrap(), Verdict::RightButOld);
        assert_eq!(verify("wrong horse", &stored).unwrap(), Verdict::Wrong);
        assert_eq!(verify("correct horse", &hash("correct horse").unwrap()).unwrap(), Verdict::Right);
    }
}
