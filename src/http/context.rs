//! The current request, in a task-local variable. `ApiError` reads this variable for problems and their log lines.

use axum::http::{HeaderValue, Uri};

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// The request's identity, as it appears in problems and log lines.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The request identifier: the same in the response header, the log and the problem.
    pub id: HeaderValue,
    /// The request target.
    pub uri: Uri,
}

impl RequestContext {
    /// The identifier as text, lossily decoded.
    #[must_use]
    pub fn id(&self) -> String {
        String::from_utf8_lossy(self.id.as_bytes()).into_owned()
    }

    /// Runs a future with this request as the current one.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    /// Like [`Self::scope`], for synchronous code.
    pub fn enter<T>(&self, run: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), run)
    }

    /// The current request; `None` outside of a request.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }
}
