//! Event counts of a platform: the JSON of `GET /counts`. [`observe`](crate::observe) counts requests to create a post, and all
//! responses with 401, 403 or 429. Every other event is counted by the code that causes it.

use serde::{Deserialize, Serialize};

/// Counters of one platform since the simulator's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Authorization requests that an account's owner approved.
    pub authorizations: u64,
    /// Authorization requests that an account's owner denied.
    pub denials: u64,
    /// Codes exchanged for tokens.
    pub tokens: u64,
    /// Refresh tokens exchanged for new tokens.
    pub refreshes: u64,
    /// Tokens that the client revoked.
    pub revocations: u64,
    /// Refused attempts to use a refresh token again.
    pub reused_refresh_tokens: u64,
    /// Created posts.
    pub posts: u64,
    /// Received requests to create a post, including those that failed.
    pub post_requests: u64,
    /// Requests that created no post, because the account already has a post with their idempotency key.
    pub repeated_posts: u64,
    /// Responses with 401 or 403.
    pub refused: u64,
    /// Responses with 429.
    pub rate_limited: u64,
}
