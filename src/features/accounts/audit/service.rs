//! Records and lists the events of accounts.

use ipnet::IpNet;
use uuid::Uuid;

use super::super::limits::Caller;
use super::super::service::{AccountError, Accounts};
use super::model::{AuditEntry, AuditEvent};
use super::store;
use crate::db::{Conn, Db, StoreError};
use crate::domain::paging::PageRequest;

/// Records an event in the transaction of its effect.
pub async fn record(tx: &mut Conn, user: Uuid, event: AuditEvent, network: IpNet) -> Result<(), StoreError> {
    store::insert(tx, user, event, Some(&shown(network))).await
}

/// Deletes the events of an account, and records only that it was deleted.
pub async fn erase(tx: &mut Conn, user: Uuid) -> Result<(), StoreError> {
    store::delete_all(tx, user).await?;
    store::insert(tx, user, AuditEvent::AccountDeleted, None).await
}

/// Deletes a batch of old events.
pub async fn forget_old(conn: &mut Conn) -> Result<(), StoreError> {
    store::delete_old(conn).await
}

/// Records a failed sign-in without delaying its response.
pub fn record_failure(db: Db, user: Uuid, network: IpNet) {
    tokio::spawn(async move {
        if let Err(error) = insert_failure(&db, user, network).await {
            tracing::warn!(%user, error = &error as &dyn std::error::Error, "failed to record a failed sign-in");
        }
    });
}

impl Accounts {
    /// Records an event of another feature in the transaction of its effect.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(&self, tx: &mut Conn, user: Uuid, event: AuditEvent, caller: &Caller) -> Result<(), StoreError> {
        record(tx, user, event, caller.network).await
    }

    /// One page of an account's events, newest first.
    pub(crate) async fn events(&self, user: Uuid, page: PageRequest) -> Result<Vec<AuditEntry>, AccountError> {
        Ok(store::list(&mut self.parts().db.acquire().await?, user, page).await?)
    }
}

async fn insert_failure(db: &Db, user: Uuid, network: IpNet) -> Result<(), StoreError> {
    record(&mut db.acquire().await?, user, AuditEvent::SignInFailed, network).await
}

/// A single address without the length of its prefix.
fn shown(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}
