//! The current request, in a task-local variable. `ApiError` reads this variable for problems.

use axum::http::Uri;

use crate::telemetry::trace_context::{TraceContext, TraceId};

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// The request's identity, as it appears in problems.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The request in its trace, as log lines name it.
    pub work: TraceContext,
    /// The request target.
    pub uri: Uri,
}

impl RequestContext {
    /// The identifier of the request, which is that of its trace: the same in the response header, the log, the trace and the problem.
    #[must_use]
    pub fn id(&self) -> TraceId {
        self.work.trace
    }

    /// Runs a future with this request as the current one.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        self.work.scope(CURRENT.scope(self, future))
    }

    /// Like [`Self::scope`], for synchronous code.
    pub fn enter<T>(&self, run: impl FnOnce() -> T) -> T {
        self.work.enter(|| CURRENT.sync_scope(self.clone(), run))
    }

    /// The current request; `None` outside of a request.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }
}
