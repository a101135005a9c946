//! The sessions of accounts: their list, their end, and their number.

use std::sync::Arc;

use tokio::sync::broadcast;
use uuid::Uuid;

use super::model::{EndedSession, SessionEntry};
use super::service::{AccountError, Accounts, Parts};
use super::{audit, events, links, store};
use crate::cache::Stale;
use crate::db::{Conn, StoreError};
use crate::domain::paging::PageRequest;
use crate::metrics::labels::CacheType;

impl Accounts {
    /// One page of a user's active sessions.
    pub(crate) async fn sessions(&self, user: Uuid, page: PageRequest) -> Result<Vec<SessionEntry>, AccountError> {
        let (db, limits) = (&self.parts().db, self.limits());
        Ok(store::sessions(&mut db.acquire().await?, user, limits.idle, page).await?)
    }

    /// Ends one session of a user.
    pub(super) async fn end_session(&self, user: Uuid, session: Uuid) -> Result<(), AccountError> {
        let mut tx = self.parts().db.begin().await?;
        let ended = store::delete_session(&mut tx, user, session).await?;
        self.forget(tx, user, &[ended.ok_or(AccountError::NoSuchSession)?]).await
    }

    /// Ends every session of a user.
    pub(super) async fn end_sessions(&self, user: Uuid) -> Result<(), AccountError> {
        let mut tx = self.parts().db.begin().await?;
        let ended = store::delete_sessions(&mut tx, user, None).await?;
        self.forget(tx, user, &ended).await
    }

    /// Commits the end of sessions, invalidates their cache entries, and announces the ended sessions to every replica.
    pub(super) async fn forget(&self, mut tx: Conn, user: Uuid, ended: &[EndedSession]) -> Result<(), AccountError> {
        let Parts { cache, realtime, .. } = self.parts();
        let entries = ended.iter().map(|session| Stale::new(CacheType::Session, session.token.cache_id()));
        let stale = cache.invalidate(&mut tx, entries).await?;
        tx.commit().await?;
        stale.finish().await;
        events::sessions_ended(realtime, user, ended);
        Ok(())
    }

    /// Subscribes to cache invalidations, which include ended sessions.
    pub(super) fn invalidated(&self) -> broadcast::Receiver<Arc<[Stale]>> {
        self.parts().cache.invalidated()
    }

    /// Returns the given sessions that have ended.
    pub(super) async fn ended_among(&self, sessions: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        let (db, limits) = (&self.parts().db, self.limits());
        store::ended_among(&mut db.acquire().await?, sessions, limits.idle).await
    }

    /// Deletes one batch each of expired sessions, expired links and old events. Then seals, with the current key, a batch of second
    /// factors that another key has sealed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_expired(&self, conn: &mut Conn) -> Result<(), StoreError> {
        store::delete_expired_sessions(conn).await?;
        links::forget_expired(conn).await?;
        audit::forget_old(conn).await?;
        self.reseal_factors(conn).await
    }

    /// Updates the gauge of active sessions, which one replica reports for the whole fleet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let count = store::count_sessions(conn, self.limits().idle).await?;
        events::sessions_counted(&self.parts().metrics, count);
        Ok(())
    }

    /// Sets the gauge of active sessions to zero, on a replica that does not report it.
    pub fn report_nothing(&self) {
        events::sessions_counted(&self.parts().metrics, 0);
    }
}
