//! Idempotency keys: the transaction that has the effect of a request also stores the request's result under the client's key. Results
//! are kept for the duration [`KEEP`]. Services choose which requests are idempotent, and end their transactions with
//! [`Conn::commit_idempotent`]. `http::precondition` reads the header.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use time::Duration;
use uuid::Uuid;

use super::{Conn, StoreError};
use crate::metrics::labels::Query;

/// Retention of a result.
pub const KEEP: Duration = Duration::hours(24);

/// A request with an idempotency key.
#[derive(Clone, Debug)]
pub struct IdempotentRequest {
    scope: Uuid,
    key: String,
    fingerprint: Vec<u8>,
}

/// The result of a request.
pub struct Outcome<T> {
    /// The result of the first request with this key.
    pub result: T,
    /// Whether this is a repetition, which had no effect.
    pub is_replay: bool,
}

/// Why a request with a key is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Another request with this key is in progress.
    #[error("a request with this key is in progress")]
    InProgress,
    /// The key belongs to a request with another operation or body.
    #[error("the key was already used for another request")]
    Mismatch,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IdempotentRequest {
    /// Identifies a request. Keys of different scopes are independent: `scope` is the user's id or, for a request without a signed-in
    /// user, an id derived from the request. `key` is the client's key, and `operation` is the kind of the request. `body` has the other
    /// values that must be the same when the request is repeated; passwords are left out.
    #[must_use]
    pub fn new(scope: Uuid, key: String, operation: &str, body: &impl Serialize) -> Self {
        let mut hash = Sha256::new();
        hash.update(operation);
        hash.update(serde_json::to_vec(body).unwrap_or_default());
        Self { scope, key, fingerprint: hash.finalize().to_vec() }
    }

    /// Locks the key until the transaction ends, and looks up the stored result. Returns `None` for a new request.
    async fn claim<T: DeserializeOwned>(&self, tx: &mut Conn) -> Result<Option<T>, Refusal> {
        let lock = format!("{}/{}", self.scope, self.key);
        let held = sqlx::query!(r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "held!""#, lock);
        if !tx.one(Query::SelectIdempotencyKeys, held).await?.held {
            return Err(Refusal::InProgress);
        }
        let known = sqlx::query!("SELECT fingerprint, result FROM idempotency_keys WHERE scope = $1 AND key = $2", self.scope, self.key);
        let Some(known) = tx.optional(Query::SelectIdempotencyKeys, known).await? else { return Ok(None) };
        if known.fingerprint != self.fingerprint {
            return Err(Refusal::Mismatch);
        }
        let result = serde_json::from_value(known.result).map_err(|error| StoreError::from(sqlx::Error::Decode(error.into())))?;
        tx.metrics.idempotent_replays.increment(());
        Ok(Some(result))
    }

    /// Stores the result, in the transaction of the effect.
    async fn record(&self, tx: &mut Conn, result: &impl Serialize) -> Result<(), StoreError> {
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

impl Conn {
    /// Runs `effect`, stores its result and commits the transaction, unless a request with this key was answered before. A
    /// request without a key always has its effect.
    ///
    /// # Errors
    /// Those of `effect`; when another request holds or has used the key; when the database fails.
    pub async fn commit_idempotent<T, E>(
        mut self,
        request: Option<&IdempotentRequest>,
        effect: impl AsyncFnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Outcome<T>, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<Refusal> + From<StoreError>,
    {
        if let Some(request) = request
            && let Some(result) = request.claim(&mut self).await?
        {
            return Ok(Outcome { result, is_replay: true });
        }
        let result = effect(&mut self).await?;
        if let Some(request) = request {
            request.record(&mut self, &result).await?;
        }
        self.commit().await?;
        Ok(Outcome { result, is_replay: false })
    }
}

/// Deletes results older than [`KEEP`], at most a thousand.
///
/// # Errors
/// When the database fails.
pub async fn forget_old(conn: &mut Conn) -> Result<u64, StoreError> {
    let before = time::OffsetDateTime::now_utc() - KEEP;
    // In batches, so that a statement stays within its timeout however many rows are old.
    let delete = sqlx::query!(
        "DELETE FROM idempotency_keys WHERE (scope, key) IN (SELECT scope, key FROM idempotency_keys WHERE created_at < $1 LIMIT 1000)",
        before
    );
    conn.execute(Query::DeleteIdempotencyKeys, delete).await
}
