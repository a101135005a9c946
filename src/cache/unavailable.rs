//! The errors of the Redis client. Callers work without Redis, so none of these errors reaches a client of the service.

use crate::diagnosis::Cause;
use crate::metrics::labels::Dependency;

/// Redis is unavailable.
#[derive(Debug, thiserror::Error)]
pub enum RedisUnavailable {
    /// There is no connection.
    #[error("Redis is not connected")]
    Disconnected,
    /// Redis did not answer within `REDIS_TIMEOUT`, or did not accept a connection in time.
    #[error("Redis did not answer in time")]
    Timeout,
    /// An operator must mend something.
    #[error("{}", .0.sentence(Dependency::Redis))]
    Refused(Cause),
    /// Redis rejected the command, its answer has an unexpected type, or the connection failed.
    #[error(transparent)]
    Failed(#[from] redis::RedisError),
}
