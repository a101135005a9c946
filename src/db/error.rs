//! The errors of stores. Absence is no error: it is `Ok(None)`.

use std::sync::Arc;

/// A database error, in the classes that callers handle differently.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is unavailable or refuses connections, or no connection of the pool is free: a retry may succeed soon.
    #[error("the database is unavailable")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// The statement timed out, or the pool returned neither a connection nor an error within its time limit.
    #[error("the database did not answer in time")]
    Timeout,
    /// A serialization failure, a deadlock or an unavailable lock: an immediate retry may succeed.
    #[error("the transaction conflicted with another one")]
    Contended,
    /// The row violates the unique constraint of this name.
    #[error("the row violates the constraint {0}")]
    Conflict(String),
    /// Any other error, usually a bug in this service.
    #[error("the database statement failed")]
    Internal(#[source] Arc<sqlx::Error>),
}

/// Converts the text of a column.
///
/// # Errors
/// When `parse` does not know the text, for example because a newer replica wrote it. A default value instead of an error could
/// wrongly grant or deny access.
pub fn known<T>(column: &str, text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
    parse(text).ok_or_else(|| StoreError::from(sqlx::Error::Decode(format!("unknown {column} {text}").into())))
}

impl From<sqlx::Error> for StoreError {
    /// Classifies by `SQLSTATE` (Postgres documentation, appendix A).
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => Self::Unavailable(Arc::new(error)),
                _ => Self::Internal(Arc::new(error)),
            };
        };
        match database.code().as_deref().unwrap_or_default() {
            "23505" => Self::Conflict(database.constraint().unwrap_or_default().to_owned()),
            "57014" => Self::Timeout,
            "40001" | "40P01" | "55P03" => Self::Contended,
            // Undefined table or column: this replica already serves requests, but its migrations have not run yet.
            "42P01" | "42703" => Self::Unavailable(Arc::new(error)),
            // Shutting down, starting, too many connections, read-only after a failover, idle for too long in a transaction,
            // broken connection, refused login, unknown database.
            code if ["57P", "08", "28"].iter().any(|class| code.starts_with(class))
                || matches!(code, "53300" | "25006" | "25P03" | "3D000") =>
            {
                Self::Unavailable(Arc::new(error))
            }
            _ => Self::Internal(Arc::new(error)),
        }
    }
}
