//! Requests that may be sent twice: the first one's result is kept under the client's key, in the transaction of its
//! effect, for [`KEEP`]. Which requests are such is for the services; the header is for `http::precondition`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use time::Duration;
use uuid::Uuid;

use super::{Conn, StoreError};
use crate::metrics::labels::Query;

/// How long a result is kept.
pub const KEEP: Duration = Duration::hours(24);

/// A request that its client named.
#[derive(Clone, Debug)]
pub struct Named {
    scope: Uuid,
    key: String,
    fingerprint: Vec<u8>,
}

/// What is known of a named request.
pub enum Claim<T> {
    /// It was answered before, with this.
    Replay(T),
    /// It is new: the transaction now holds it.
    Fresh,
}

/// Why a named request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The first one has not been answered yet.
    #[error("a request with this key is in progress")]
    InProgress,
    /// The key stands for another request.
    #[error("the key was already used for another request")]
    Mismatch,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Named {
    /// Names a request: `scope` is its user, `operation` what it does, `body` all that decides its effect.
    #[must_use]
    pub fn new(scope: Uuid, key: String, operation: &str, body: &impl Serialize) -> Self {
        let mut hash = Sha256::new();
        hash.update(operation);
        hash.update(serde_json::to_vec(body).unwrap_or_default());
        Self { scope, key, fingerprint: hash.finalize().to_vec() }
    }

    /// Looks the request up and, when it is new, holds it until the transaction ends.
    ///
    /// # Errors
    /// When another request has the key, or the store fails.
    pub async fn claim<T: DeserializeOwned>(&self, tx: &mut Conn) -> Result<Claim<T>, Refusal> {
        let lock = format!("{}/{}", self.scope, self.key);
        let held = sqlx::query!(r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "held!""#, lock);
        if !tx.one(Query::SelectIdempotencyKeys, held).await?.held {
            return Err(Refusal::InProgress);
        }
        let known = sqlx::query!("SELECT fingerprint, result FROM idempotency_keys WHERE scope = $1 AND key = $2", self.scope, self.key);
        let Some(known) = tx.optional(Query::SelectIdempotencyKeys, known).await? else { return Ok(Claim::Fresh) };
        if known.fingerprint != self.fingerprint {
            return Err(Refusal::Mismatch);
        }
        let result = serde_json::from_value(known.result).map_err(|error| StoreError::from(sqlx::Error::Decode(error.into())))?;
        tx.metrics.idempotent_replays.increment(());
        Ok(Claim::Replay(result))
    }

    /// Keeps the result, in the transaction of the effect.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn record(&self, tx: &mut Conn, result: &impl Serialize) -> Result<(), StoreError> {
        let result = serde_json::to_value(result).map_err(|error| StoreError::from(sqlx::Error::Encode(error.into())))?;
        let insert = sqlx::query!(
            "INSERT INTO idempotency_keys (scope, key, fingerprint, result) VALUES ($1, $2, $3, $4)",
            self.scope,
            self.key,
            self.fingerprint,
            result
        );
        tx.execute(Query::InsertIdempotencyKeys, insert).await.map(drop)
    }
}

/// Forgets results older than [`KEEP`], at most a thousand.
///
/// # Errors
/// When the store fails.
pub async fn forget_old(conn: &mut Conn) -> Result<u64, StoreError> {
    let before = time::OffsetDateTime::now_utc() - KEEP;
    // In bites that end within the statement's limit, however much there is.
    let delete = sqlx::query!(
        "DELETE FROM idempotency_keys WHERE (scope, key) IN (SELECT scope, key FROM idempotency_keys WHERE created_at < $1 LIMIT 1000)",
        before
    );
    conn.execute(Query::DeleteIdempotencyKeys, delete).await
}
