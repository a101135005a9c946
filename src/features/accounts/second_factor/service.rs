//! The rules of second factors; `mod.rs` lists them.

use secrecy::SecretString;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::audit::{self, AuditEvent};
use super::super::limits::Caller;
use super::super::model::User;
use super::super::service::{AccountError, Accounts, Parts};
use super::super::{events, store as accounts_store};
use super::model::{Code, Content, Overview, Pending, hash};
use super::store::{self, Factor};
use crate::db::{Conn, StoreError};
use crate::metrics::labels::AuthEvent;

const EVENT: AuthEvent = AuthEvent::SecondFactorChange;

impl Accounts {
    /// Whether a second factor can be set up.
    #[must_use]
    pub fn has_second_factors(&self) -> bool {
        self.parts().keys.is_some()
    }

    /// The state of the user's second factor.
    pub(crate) async fn second_factor(&self, user: Uuid) -> Result<Overview, AccountError> {
        let mut conn = self.parts().db.acquire().await?;
        let active = store::find(&mut conn, user).await?.is_some_and(|factor| factor.is_active);
        Ok(Overview { active, recovery_codes_left: store::count_codes(&mut conn, user).await? })
    }

    /// The user's second factor that waits for its activation.
    pub(crate) async fn pending_second_factor(&self, user: &User) -> Result<Option<Pending>, AccountError> {
        let factor = store::find(&mut self.parts().db.acquire().await?, user.id).await?;
        let Some(factor) = factor.filter(|factor| !factor.is_active) else { return Ok(None) };
        // If no key opens the set-up, the user can only begin another one.
        Ok(self.open(user.id, &factor).ok().map(|content| content.pending(&user.email)))
    }

    /// Begins the set-up of a second factor, for a user who repeats the password. A set-up that was not finished is replaced.
    pub(super) async fn set_up(&self, user: &User, password: &SecretString, caller: &Caller) -> Result<Pending, AccountError> {
        if !self.has_second_factors() {
            return Err(AccountError::NoSecondFactors);
        }
        let version = self.prove(EVENT, user, password, caller).await?;
        let content = Content::generate();
        let sealed = self.seal(user.id, &content)?;
        let mut tx = self.parts().db.begin().await?;
        self.hold_proven(&mut tx, user, version).await?;
        if !store::put_pending(&mut tx, user.id, &sealed).await? {
            return Err(AccountError::SecondFactorActive);
        }
        tx.commit().await?;
        Ok(content.pending(&user.email))
    }

    /// Activates the second factor with a code of the authenticator, for a user who repeats the password: a stolen session alone must not
    /// lock the owner out. From now on, a sign-in with the password needs a code.
    pub(super) async fn activate(&self, user: &User, password: &SecretString, code: &Code, caller: &Caller) -> Result<(), AccountError> {
        let Parts { db, attempts, metrics, .. } = self.parts();
        let version = self.prove(EVENT, user, password, caller).await?;
        let begun = attempts.begin_redemption(caller.network).await;
        let attempt = begun.inspect_err(|_| events::request_throttled(metrics, EVENT))?;
        let mut tx = db.begin().await?;
        self.hold_proven(&mut tx, user, version).await?;
        let user = user.id;
        let factor = store::lock(&mut tx, user).await?.filter(|factor| !factor.is_active).ok_or(AccountError::NoPendingFactor)?;
        let content = self.open(user, &factor)?;
        let step = match code {
            Code::Authenticator(code) => content.step(code, OffsetDateTime::now_utc()),
            Code::Recovery(_) => None,
        };
        let Some(step) = step else {
            drop(tx);
            attempt.fail().await;
            events::code_refused(metrics, EVENT, user);
            return Err(AccountError::WrongCode);
        };
        let hashes: Vec<Vec<u8>> = content.recovery_codes.iter().map(|code| hash(user, code)).collect();
        store::insert_codes(&mut tx, user, &hashes).await?;
        let sealed = self.seal(user, &Content { recovery_codes: Vec::new(), ..content })?;
        store::activate(&mut tx, user, &sealed, step).await?;
        accounts_store::bump_credentials(&mut tx, user).await?;
        audit::record(&mut tx, user, AuditEvent::SecondFactorOn, caller.network).await?;
        tx.commit().await?;
        attempt.end().await;
        events::second_factor_changed(metrics, user);
        Ok(())
    }

    /// Removes the second factor, whether or not it is active, of a user who repeats the password.
    pub(super) async fn remove_factor(&self, user: &User, password: &SecretString, caller: &Caller) -> Result<(), AccountError> {
        let Parts { db, metrics, .. } = self.parts();
        let version = self.prove(EVENT, user, password, caller).await?;
        let mut tx = db.begin().await?;
        self.hold_proven(&mut tx, user, version).await?;
        if !store::delete(&mut tx, user.id).await? {
            return Ok(());
        }
        accounts_store::bump_credentials(&mut tx, user.id).await?;
        audit::record(&mut tx, user.id, AuditEvent::SecondFactorOff, caller.network).await?;
        tx.commit().await?;
        events::second_factor_changed(metrics, user.id);
        Ok(())
    }

    /// Removes the second factor of an account whose owner has just proved the address for the first time: a stranger may have set the
    /// factor up.
    pub(crate) async fn drop_factor(&self, tx: &mut Conn, user: Uuid, caller: &Caller) -> Result<(), AccountError> {
        if store::delete(tx, user).await? {
            audit::record(tx, user, AuditEvent::SecondFactorOff, caller.network).await?;
        }
        Ok(())
    }

    /// Checks the code of a sign-in, within the transaction that creates the session, and uses the code up. Without an active factor, no
    /// code is needed.
    pub(crate) async fn pass_factor(&self, tx: &mut Conn, user: Uuid, code: Option<&Code>, caller: &Caller) -> Result<(), AccountError> {
        let metrics = &self.parts().metrics;
        let Some(factor) = store::lock(tx, user).await?.filter(|factor| factor.is_active) else { return Ok(()) };
        let is_right = match code.ok_or(AccountError::CodeRequired)? {
            Code::Authenticator(code) => {
                let step = self.open(user, &factor)?.step(code, OffsetDateTime::now_utc()).filter(|step| *step > factor.last_step);
                if let Some(step) = step {
                    store::set_last_step(tx, user, step).await?;
                }
                step.is_some()
            }
            Code::Recovery(code) => {
                let is_right = store::take_code(tx, user, &hash(user, code)).await?;
                if is_right {
                    audit::record(tx, user, AuditEvent::RecoveryCodeUsed, caller.network).await?;
                }
                is_right
            }
        };
        if !is_right {
            events::code_refused(metrics, AuthEvent::SecondFactor, user);
            return Err(AccountError::WrongCode);
        }
        events::code_accepted(metrics);
        Ok(())
    }

    /// Seals a batch of secrets again, with the first key.
    pub(crate) async fn reseal_factors(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let Some(keys) = &self.parts().keys else { return Ok(()) };
        let mut count = 0;
        for (user, sealed) in store::sealed_otherwise(conn, keys.mark()).await? {
            if let Ok(content) = keys.open(&purpose(user), &sealed) {
                store::reseal(conn, user, &sealed, &keys.seal(&purpose(user), &content)).await?;
                count += 1;
            }
        }
        if count > 0 {
            events::second_factors_resealed(count);
        }
        Ok(())
    }

    fn seal(&self, user: Uuid, content: &Content) -> Result<Vec<u8>, AccountError> {
        let keys = self.parts().keys.as_ref().ok_or(AccountError::NoSecondFactors)?;
        Ok(keys.seal(&purpose(user), &serde_json::to_vec(content).unwrap_or_default()))
    }

    fn open(&self, user: Uuid, factor: &Factor) -> Result<Content, AccountError> {
        let keys = self.parts().keys.as_ref().ok_or(AccountError::NoSecondFactors)?;
        let opened = keys.open(&purpose(user), &factor.sealed).map_err(|_| AccountError::UnreadableFactor)?;
        serde_json::from_slice(&opened).map_err(|_| AccountError::UnreadableFactor)
    }
}

fn purpose(user: Uuid) -> String {
    format!("second factor of {user}")
}
