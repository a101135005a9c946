//! The request that is being answered, known to whatever runs on its behalf: problems and log lines name it.

use std::sync::Arc;

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// What a problem says of the request that it answers.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The request's identifier, the same in the answer, the log and the problem.
    pub id: Arc<str>,
    /// The path that was asked for, without its query.
    pub path: Arc<str>,
}

impl RequestContext {
    /// Runs a future on behalf of this request.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// The request being answered, if any.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }
}
