//! The handler of the job that revokes unused tokens, such as those of an unlinked account.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::ProviderError;
use super::events;
use super::jobs::Revocation;
use super::service::{Inner, Oauth};
use super::store::StoredTokens;
use crate::db::{Conn, StoreError};
use crate::jobs::{Failure, Handler, Job, MAX_ATTEMPTS};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Handles [`revocation`](super::jobs::revocation).
pub struct RevokeTokens(pub Oauth);

#[async_trait]
impl Handler for RevokeTokens {
    async fn run(&self, job: &Job) -> Result<(), Failure> {
        let Revocation { platform, account, access, refresh } = job.payload()?;
        let Inner { vault, providers, metrics, .. } = &*self.0.0;
        let Ok(settings) = self.0.settings(platform) else {
            // During a change of the configuration, a replica that has the platform may take the next attempt. If no replica has it, the
            // tokens cannot be revoked, and a dead letter would only keep them.
            return if job.attempt() < MAX_ATTEMPTS { Err(Failure::retry("the platform is not configured")) } else { Ok(()) };
        };
        let decoded = |token: &String| STANDARD.decode(token).map_err(|_| Failure::Permanent("the stored token is invalid".to_owned()));
        let stored = StoredTokens { id: account, access: decoded(&access)?, refresh: refresh.as_ref().map(decoded).transpose()? };
        let opened = vault.open(&stored).map_err(|error| Failure::Permanent(error.to_string()))?;
        let deadline = Instant::now() + TIMEOUT;
        let attempt = async {
            if let Some(refresh) = &opened.refresh {
                providers.revoke(settings, refresh, "refresh_token", deadline).await?;
            }
            providers.revoke(settings, &opened.access, "access_token", deadline).await
        };
        match attempt.await {
            Ok(true) => events::revoked(metrics, platform, account),
            // The platform does not support revocation.
            Ok(false) => {}
            Err(error) => {
                events::not_revoked(metrics, platform, account, &error.to_string());
                return Err(failure(error));
            }
        }
        Ok(())
    }

    /// Nothing to do: the service no longer uses the tokens, and the user can revoke the access on the platform.
    async fn give_up(&self, _: &Job, _: &mut Conn, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

fn failure(error: ProviderError) -> Failure {
    match error {
        ProviderError::Unavailable { reason, after } => Failure::Retry { reason, after },
        error @ (ProviderError::GrantRefused | ProviderError::ClientRefused(_) | ProviderError::Distrusted(_)) => {
            Failure::Permanent(error.to_string())
        }
    }
}
