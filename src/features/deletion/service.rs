//! The order of a deletion. Each feature deletes what it stores.

use std::sync::Arc;

use secrecy::SecretString;

use crate::db::{Db, StoreError};
use crate::features::accounts::{AccountError, Accounts, Caller, OtherSignIns, User};
use crate::features::environments::{EnvironmentError, Environments};
use crate::features::oauth::Oauth;
use crate::features::projects::{ProjectError, Projects};

/// Why an account is not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The dependencies of [`Deletion`].
pub struct Parts {
    /// Connections for requests.
    pub db: Db,
    /// The account, its sessions and its events.
    pub accounts: Accounts,
    /// The account's linked accounts.
    pub oauth: Oauth,
    /// The account's projects and memberships.
    pub projects: Projects,
    /// The environments of the account's projects.
    pub environments: Environments,
}

/// The service that deletes accounts; cheap to clone.
#[derive(Clone)]
pub struct Deletion(Arc<Parts>);

impl Deletion {
    /// Creates the service.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Deletes an account in one transaction. Locks projects before environments and the account, as every other transaction does.
    pub(super) async fn delete(&self, user: &User, password: &SecretString, caller: &Caller) -> Result<(), DeletionError> {
        let Parts { db, accounts, oauth, projects, environments } = &*self.0;
        let version = accounts.prove_deletion(user, password, caller).await?;
        let mut tx = db.begin().await?;
        let departure = projects.lock_all(&mut tx, user.id).await?;
        environments.depart(&mut tx, user.id).await?;
        accounts.hold_proven(&mut tx, user, version).await?;
        oauth.end_all(&mut tx, user.id).await?;
        let departed = projects.depart(&mut tx, user.id, departure).await?;
        accounts.delete(tx, user.id).await?;
        oauth.ended();
        departed.finish(user.id).await;
        Ok(())
    }
}
