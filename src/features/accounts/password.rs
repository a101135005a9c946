//! Password hashing: argon2id with OWASP's minimum parameters (19 MiB, two passes, parallelism 1) and limited concurrency.
//!
//! A hash takes about 20 ms of CPU time and 19 MiB of memory. At most one hash per core runs at a time (two on a single
//! core). Without this limit, a burst of logins would exhaust the memory and leave other requests hardly any CPU time.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{AcquireError, Semaphore};

use crate::metrics::Metrics;
use crate::metrics::labels::Limiter;

/// The purpose of a hash. Each hash needs a permit. The purpose determines how many permits its hashes may hold at the same time, and how
/// long a hash waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Logins may use every permit.
    Logins,
    /// Registrations, which anybody may send, share half of the permits.
    Registrations,
}

impl Share {
    /// Maximum wait for a permit, after which [`PasswordError::Overloaded`] refuses the hash. Registrations may wait longer, because they
    /// have fewer permits.
    const fn max_wait(self) -> Duration {
        match self {
            Self::Logins => Duration::from_secs(2),
            Self::Registrations => Duration::from_secs(5),
        }
    }
}

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    registrations: Arc<Semaphore>,
    /// The hash of a random password. A verification uses this hash when the account does not exist or has no password, so that the
    /// response time reveals neither.
    nobody: Arc<str>,
    metrics: Metrics,
}

/// The result of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Correct,
    /// Correct, but hashed with parameters that differ from the current ones.
    CorrectButOutdated,
    Wrong,
}

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("too many concurrent password hashes")]
    Overloaded,
    #[error("failed to hash or verify the password")]
    Failed(#[source] argon2::password_hash::Error),
}

impl Passwords {
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(metrics: Metrics) -> Result<Self, PasswordError> {
        // At least two: registrations get half of the permits, rounded down, and half of one would be none.
        let permits = std::thread::available_parallelism().map_or(1, usize::from).max(2);
        let nobody = hash(&rand::random::<u128>().to_string())?;
        let (permits, registrations) = (Semaphore::new(permits), Semaphore::new(permits / 2));
        Ok(Self { permits: permits.into(), registrations: registrations.into(), nobody: nobody.into(), metrics })
    }

    /// Hashes a password; returns a PHC string.
    pub async fn hash(&self, share: Share, password: SecretString) -> Result<String, PasswordError> {
        self.run(share, move || hash(password.expose_secret())).await?
    }

    /// Verifies a password against a stored hash. Without one, does the same work and returns [`Verdict::Wrong`].
    pub async fn verify(&self, share: Share, password: SecretString, stored: Option<String>) -> Result<Verdict, PasswordError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.to_string());
        let verdict = self.run(share, move || verify(password.expose_secret(), &stored)).await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn run<T: Send + 'static>(&self, share: Share, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        // A semaphore grants permits in order of arrival. Registrations need a permit of their own semaphore first, so only a few of
        // them can be ahead of a login.
        let permit = async {
            let registration = match share {
                Share::Registrations => Some(self.registrations.clone().acquire_owned().await?),
                Share::Logins => None,
            };
            Ok::<_, AcquireError>((registration, self.permits.clone().acquire_owned().await?))
        };
        let Ok(Ok(permit)) = tokio::time::timeout(share.max_wait(), permit).await else {
            self.metrics.rate_limited.increment(Limiter::PasswordHashing);
            return Err(PasswordError::Overloaded);
        };
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        // A panic of the hash continues in the request, and is counted and answered there like any other panic.
        done.await.map_err(|error| error.try_into_panic().map_or(PasswordError::Overloaded, |panic| resume_unwind(panic)))
    }
}

fn hash(password: &str) -> Result<String, PasswordError> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(PasswordError::Failed)
}

fn verify(password: &str, stored: &str) -> Result<Verdict, PasswordError> {
    let stored = PasswordHash::new(stored).map_err(|_| PasswordError::Failed(argon2::password_hash::Error::EncodingInvalid))?;
    match Argon2::default().verify_password(password.as_bytes(), &stored) {
        Ok(()) if Params::try_from(&stored).is_ok_and(|used| is_current(&used)) => Ok(Verdict::Correct),
        Ok(()) => Ok(Verdict::CorrectButOutdated),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(PasswordError::Failed(error)),
    }
}

fn is_current(used: &Params) -> bool {
    let current = Params::default();
    (used.m_cost(), used.t_cost(), used.p_cost()) == (current.m_cost(), current.t_cost(), current.p_cost())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exporter::Exporter;

    /// Regression test: without their own limit, registrations could hold every permit.
    #[tokio::test]
    async fn registrations_leave_permits_to_logins() {
        let metrics = Exporter::default().metrics();
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
        // By now, some registrations hold a permit, and the others wait for one.
        let login = passwords.run(Share::Logins, || "in").await;
        assert_eq!(login.unwrap(), "in");
        drop(release);
        for registration in registrations {
            // The registration may have run or timed out. The login did not wait for it in either case.
            let _ended = registration.await.unwrap();
        }
    }

    #[test]
    fn a_hash_with_weaker_parameters_verifies_as_outdated() {
        let weak = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, Params::new(8192, 1, 1, None).unwrap());
        let stored = weak.hash_password(b"correct horse").unwrap().to_string();
        assert_eq!(verify("correct horse", &stored).unwrap(), Verdict::CorrectButOutdated);
        assert_eq!(verify("wrong horse", &stored).unwrap(), Verdict::Wrong);
        assert_eq!(verify("correct horse", &hash("correct horse").unwrap()).unwrap(), Verdict::Correct);
    }
}
