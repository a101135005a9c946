//! The request that is being answered, known to whatever runs on its behalf: problems and log lines name it.

use axum::http::{HeaderValue, Uri};

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// What a problem says of the request that it answers.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The request's identifier, the same in the answer, the log and the problem.
    pub id: HeaderValue,
    /// What was asked for.
    pub uri: Uri,
}

impl RequestContext {
    /// The identifier as text.
    #[must_use]
    pub fn id(&self) -> String {
        String::from_utf8_lossy(self.id.as_bytes()).into_owned()
    }

    /// Runs a future on behalf of this request.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    /// As [`Self::scope`], for what is no future.
    pub fn enter<T>(&self, run: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), run)
    }

    /// The request being answered, if any.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }
}
