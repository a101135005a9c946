//! The rules of faults; see the feature's `mod.rs`. What makes them strike is `watch`.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Notify;
use uuid::Uuid;

use super::model::{NewFault, Order};
use super::{events, store};
use crate::db::{Conn, Db, StoreError};
use crate::faults::{Armed, Fault};
use crate::http::FieldError;

/// Why a request for faults is refused.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// Or it has ended.
    #[error("there is no such fault")]
    NoSuchFault,
    /// Nothing of it was done.
    #[error("some fields are not acceptable")]
    Unfit(Vec<FieldError>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The faults service; clones share it.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    db: Db,
    armed: Armed,
    /// The templates that a fault can be about.
    routes: BTreeSet<String>,
    changed: Notify,
}

impl Faults {
    /// The service over what seams ask.
    #[must_use]
    pub fn new(db: Db, armed: Armed, routes: BTreeSet<String>) -> Self {
        Self(Arc::new(Inner { db, armed, routes, changed: Notify::new() }))
    }

    /// What seams ask.
    #[must_use]
    pub fn armed(&self) -> &Armed {
        &self.0.armed
    }

    /// The templates of the routes that a fault can be about.
    pub(crate) fn routes(&self) -> &BTreeSet<String> {
        &self.0.routes
    }

    /// Those that have not ended, on whatever replica.
    pub(crate) async fn list(&self) -> Result<Vec<Fault>, FaultError> {
        Ok(store::all(&mut self.conn().await?).await?)
    }

    pub(super) async fn find(&self, id: Uuid) -> Result<Fault, FaultError> {
        store::find(&mut self.conn().await?, id).await?.ok_or(FaultError::NoSuchFault)
    }

    /// Begins one in the place of what has its name; whether that was nothing.
    pub(super) async fn put(&self, user: Uuid, id: Uuid, order: Order) -> Result<(Fault, bool), FaultError> {
        let new: NewFault = order.check(&self.0.routes).map_err(FaultError::Unfit)?;
        let mut conn = self.conn().await?;
        store::delete_expired(&mut conn).await?;
        let (fault, is_new) = store::put(&mut conn, id, &new).await?;
        events::ordered(user, &fault);
        self.0.changed.notify_one();
        Ok((fault, is_new))
    }

    /// Ends one before its time.
    pub(super) async fn end(&self, user: Uuid, id: Uuid) -> Result<(), FaultError> {
        if !store::delete(&mut self.conn().await?, id).await? {
            return Err(FaultError::NoSuchFault);
        }
        events::called_off(user, 1);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Ends all before their time.
    pub(super) async fn end_all(&self, user: Uuid) -> Result<(), FaultError> {
        let count = store::delete_all(&mut self.conn().await?).await?;
        events::called_off(user, count);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Waits until something was changed at this replica.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// A connection that statements which a fault holds up cannot use up.
    async fn conn(&self) -> Result<Conn, StoreError> {
        self.0.db.acquire_aside().await
    }
}
