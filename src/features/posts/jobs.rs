//! The job that delivers a post to a platform. `deliver` handles it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::Platform;
use crate::jobs::NewJob;
use crate::metrics::labels::JobKind;

/// The payload of the job.
#[derive(Debug, Serialize, Deserialize)]
pub struct Deliver {
    pub post: Uuid,
    pub platform: Platform,
}

impl Deliver {
    /// The job that delivers a post to a platform. The job has no lane, so a rate-limited platform delays no other job.
    pub fn job(post: Uuid, platform: Platform) -> NewJob {
        NewJob::new(JobKind::PostDelivery, &Self { post, platform })
    }

    /// Idempotency key for the platform.
    pub fn key(&self) -> String {
        format!("{}-{}", self.post, self.platform.name())
    }
}
