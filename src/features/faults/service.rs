//! Applies the rules of faults that `mod.rs` lists. `watch` puts faults into effect.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Notify;
use uuid::Uuid;

use super::model::{NewFault, Order};
use super::{events, store};
use crate::db::{Conn, Db, StoreError};
use crate::domain::validation::FieldError;
use crate::fault_injection::{Fault, FaultInjector};

/// Why a request to the API of faults is refused or fails.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The fault does not exist or has ended.
    #[error("there is no such fault")]
    NoSuchFault,
    /// The request is invalid and had no effect.
    #[error("some fields are invalid")]
    Invalid(Vec<FieldError>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The faults service; cheap to clone.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    db: Db,
    injector: FaultInjector,
    /// Templates of all routes with a handler, including those that are exempt from fault injection.
    routes: BTreeSet<String>,
    changed: Notify,
}

impl Faults {
    /// Creates the service. `injector` holds the faults that injection points query.
    #[must_use]
    pub fn new(db: Db, injector: FaultInjector, routes: BTreeSet<String>) -> Self {
        Self(Arc::new(Inner { db, injector, routes, changed: Notify::new() }))
    }

    /// The injector that injection points query for active faults.
    #[must_use]
    pub fn injector(&self) -> &FaultInjector {
        &self.0.injector
    }

    /// Templates of all routes with a handler, including those that are exempt from fault injection.
    pub(crate) fn routes(&self) -> &BTreeSet<String> {
        &self.0.routes
    }

    /// Lists the unexpired faults of all replicas.
    pub(crate) async fn list(&self) -> Result<Vec<Fault>, FaultError> {
        Ok(store::all(&mut self.conn().await?).await?)
    }

    pub(super) async fn find(&self, id: Uuid) -> Result<Fault, FaultError> {
        store::find(&mut self.conn().await?, id).await?.ok_or(FaultError::NoSuchFault)
    }

    /// Creates or replaces a fault. Returns whether it is new.
    pub(super) async fn put(&self, user: Uuid, id: Uuid, order: Order) -> Result<(Fault, bool), FaultError> {
        let new: NewFault = order.check(&self.0.routes).map_err(FaultError::Invalid)?;
        let mut conn = self.conn().await?;
        store::delete_expired(&mut conn).await?;
        let (fault, is_new) = store::put(&mut conn, id, &new).await?;
        events::ordered(user, &fault);
        self.0.changed.notify_one();
        Ok((fault, is_new))
    }

    /// Ends a fault before it expires.
    pub(super) async fn end(&self, user: Uuid, id: Uuid) -> Result<(), FaultError> {
        if !store::delete(&mut self.conn().await?, id).await? {
            return Err(FaultError::NoSuchFault);
        }
        events::called_off(user, 1);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Ends every fault.
    pub(super) async fn end_all(&self, user: Uuid) -> Result<(), FaultError> {
        let count = store::delete_all(&mut self.conn().await?).await?;
        events::called_off(user, count);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Waits for a change made through this replica.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// The reserved connection. Statements that a fault delays cannot occupy it.
    async fn conn(&self) -> Result<Conn, StoreError> {
        self.0.db.acquire_reserved().await
    }
}
