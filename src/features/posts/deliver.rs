//! The handler of the job that delivers a post to a platform. An attempt can stop at any point, and the job then runs again. The handler
//! therefore checks that the delivery is pending, calls the platform with an idempotency key, and marks the delivery as
//! delivered in the transaction that completes the job.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use uuid::Uuid;

use super::jobs::Deliver;
use super::model::Announcement;
use super::platform_session::{ActError, Acting};
use super::service::{Parts, Posts};
use super::{events, store};
use crate::db::{Conn, StoreError};
use crate::jobs::{Failure, Handler, Job, MAX_ATTEMPTS};
use crate::platforms::api::{Message, Published};

/// Time limit for the platform calls of an attempt, including those that renew the token.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Handles [`Deliver`].
pub struct DeliverPost(pub Posts);

#[async_trait]
impl Handler for DeliverPost {
    async fn run(&self, job: &Job) -> Result<(), Failure> {
        let deliver: Deliver = job.payload()?;
        let Parts { background, .. } = self.0.parts();
        let pending = store::pending(&mut background.acquire().await?, deliver.post, deliver.platform).await?;
        // Nothing to do: the delivery has ended, or was deleted with its project.
        let Some(announcement) = pending else { return Ok(()) };
        if !announcement.is_published {
            return Err(Failure::Permanent("the project is no longer published".to_owned()));
        }
        let published = self.publish(&deliver, &announcement).await?;
        self.settle(job, &deliver, announcement.author, &published).await
    }

    async fn put_back(&self, job: &Job, tx: &mut Conn, reason: &str) -> Result<(), StoreError> {
        let Ok(Deliver { post, platform }) = job.payload() else { return Ok(()) };
        if store::set_put_off(tx, post, platform, job.attempt(), reason).await? {
            let (attempt, reason) = (job.attempt(), reason.to_owned());
            tx.when_committed(move || events::put_off(post, platform, attempt, &reason));
        }
        Ok(())
    }

    async fn give_up(&self, job: &Job, tx: &mut Conn, reason: &str) -> Result<(), StoreError> {
        let Ok(Deliver { post, platform }) = job.payload() else { return Ok(()) };
        // Above `MAX_ATTEMPTS`, `reason` only says that the last attempt did not finish, usually because a replica died. A stored reason of
        // an earlier attempt says more, so it is kept.
        let (attempts, keep_reason) = (job.attempt().min(MAX_ATTEMPTS), job.attempt() > MAX_ATTEMPTS);
        if let Some((author, reason)) = store::set_failed(tx, post, platform, attempts, reason, keep_reason).await? {
            let realtime = self.0.parts().realtime.clone();
            tx.when_committed(move || events::failed(&realtime, author, post, platform, attempts, &reason));
        }
        Ok(())
    }
}

impl DeliverPost {
    async fn publish(&self, deliver: &Deliver, announcement: &Announcement) -> Result<Published, Failure> {
        let Some(settings) = self.0.offered(deliver.platform) else {
            // During a change of the configuration, a replica that has the platform may take the next attempt.
            return Err(Failure::retry("the platform is not configured"));
        };
        let Announcement { author, text, link, .. } = announcement;
        let (message, key) = (Message { text, link }, deliver.key());
        let mut acting = Acting::begin(&self.0, settings, *author, Instant::now() + TIMEOUT).await?;
        loop {
            match acting.session().publish(&message, acting.subject(), &key).await {
                Ok(published) => return Ok(published),
                Err(failure) => acting.recover(failure).await?,
            }
        }
    }

    /// Marks the delivery as delivered and completes the job, in one transaction.
    async fn settle(&self, job: &Job, deliver: &Deliver, author: Uuid, published: &Published) -> Result<(), Failure> {
        let Deliver { post, platform } = *deliver;
        let Parts { background, realtime, .. } = self.0.parts();
        let mut tx = background.begin().await?;
        if !store::set_delivered(&mut tx, post, platform, job.attempt(), published).await? {
            return Ok(());
        }
        job.complete(&mut tx).await?;
        tx.commit().await?;
        events::delivered(realtime, author, post, platform, job.attempt(), published.url.as_deref());
        Ok(())
    }
}

impl From<ActError> for Failure {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Later { reason, after } => Self::Retry { reason, after },
            ActError::Store(error) => error.into(),
            ActError::NotLinked | ActError::LinkExpired | ActError::Refused(_) => Self::Permanent(error.to_string()),
        }
    }
}
