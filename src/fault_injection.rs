//! Fault injection at the *injection points*. Each injection point asks the [`FaultInjector`] for a fault to inject now. With `FAULTS` off,
//! the injector has no faults and answers at once.
//!
//! | injection point | asks |
//! | --- | --- |
//! | the layer around the handlers, `http/faults.rs` | [`FaultInjector::latency`], [`FaultInjector::failure`] |
//! | a statement on its connection, `db/conn.rs` | [`FaultInjector::statement`] |
//! | an event to a client, `realtime/client.rs` | [`FaultInjector::drops_event`] |
//! | a call of the driver, `features/environments/driver/engine.rs` | [`FaultInjector::driver`] |
//! | a password login, `features/accounts/service.rs` | [`FaultInjector::refuses_login`] |
//!
//! The feature [`features::faults`](crate::features::faults) authorizes and stores faults, distributes them to the replicas, and
//! implements lasting effects, such as held memory.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{DriverOperation, FaultKind};
use crate::metrics::Metrics;
use crate::metrics::labels::Query;

tokio::task_local! {
    static EXEMPT: ();
}

/// A fault to inject.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The identifier that its creator chose.
    pub id: Uuid,
    /// The affected replica; `None` affects all.
    pub replica: Option<String>,
    /// The share of calls that the fault affects, in percent; for [`Effect::Block`], the share of time.
    pub percent: u8,
    /// What the fault does, with its parameters.
    pub effect: Effect,
    /// When the fault was created or last replaced.
    pub begun_at: OffsetDateTime,
    /// When the fault expires.
    pub expires_at: OffsetDateTime,
}

/// The kind of a fault and its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Effect {
    /// Delays handlers.
    Latency {
        /// Delay in milliseconds.
        delay_ms: u32,
        /// The affected route (default: all).
        #[serde(skip_serializing_if = "Option::is_none")]
        route: Option<String>,
    },
    /// Makes handlers answer with an error.
    Error {
        /// Status of the response: 500 or 503.
        status: u16,
        /// The affected route (default: all).
        #[serde(skip_serializing_if = "Option::is_none")]
        route: Option<String>,
    },
    /// Makes handlers panic.
    Panic {
        /// The affected route (default: all).
        #[serde(skip_serializing_if = "Option::is_none")]
        route: Option<String>,
    },
    /// Holds memory.
    Memory {
        /// Amount in mebibytes.
        mebibytes: u32,
    },
    /// Keeps the runtime's workers busy with tasks that rarely yield.
    Block {
        /// Milliseconds for which such a task runs before it yields.
        delay_ms: u32,
    },
    /// Delays database statements.
    Database {
        /// Delay before each statement in milliseconds.
        delay_ms: u32,
        /// The table whose statements are affected (default: all).
        #[serde(skip_serializing_if = "Option::is_none")]
        table: Option<String>,
    },
    /// Drops Socket.IO events to clients.
    DropEvent {},
    /// Makes calls of the environment driver fail, or delays them.
    Driver {
        /// Delay in milliseconds (default: calls fail without delay).
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u32>,
        /// The affected call (default: all).
        #[serde(skip_serializing_if = "Option::is_none")]
        operation: Option<DriverOperation>,
    },
    /// Refuses password logins as if the password were wrong, except those of admins.
    Login {},
    /// Ends a background task. The replica then shuts down and is restarted.
    Task {},
}

impl Effect {
    /// The kind, as a label.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Latency { .. } => FaultKind::Latency,
            Self::Error { .. } => FaultKind::Error,
            Self::Panic { .. } => FaultKind::Panic,
            Self::Memory { .. } => FaultKind::Memory,
            Self::Block { .. } => FaultKind::Block,
            Self::Database { .. } => FaultKind::Database,
            Self::DropEvent {} => FaultKind::DropEvent,
            Self::Driver { .. } => FaultKind::Driver,
            Self::Login {} => FaultKind::Login,
            Self::Task {} => FaultKind::Task,
        }
    }
}

/// An injected failure of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The handler answers with this status.
    Status(u16),
    /// The handler panics.
    Panic,
}

/// An injected fault of a driver call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFault {
    /// The call fails.
    Fails,
    /// The call is delayed by this time.
    Delayed(Duration),
}

/// The faults that affect this replica; clones share them. The default injector never has faults.
#[derive(Clone, Default)]
pub struct FaultInjector(Option<Arc<Inner>>);

struct Inner {
    replica: String,
    faults: RwLock<Arc<[Fault]>>,
    metrics: Metrics,
}

impl FaultInjector {
    /// An injector for the replica of this name. It has no faults before the first [`Self::set_faults`].
    #[must_use]
    pub fn new(replica: String, metrics: Metrics) -> Self {
        Self(Some(Arc::new(Inner { replica, faults: RwLock::new(Arc::from([])), metrics })))
    }

    /// Replaces the injector's faults with those of `faults` that affect this replica.
    pub fn set_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        let Some(inner) = &self.0 else { return };
        let is_mine = |fault: &Fault| fault.replica.as_ref().is_none_or(|replica| *replica == inner.replica);
        *inner.faults.write() = faults.into_iter().filter(is_mine).collect();
    }

    /// The injector's faults, including expired ones.
    #[must_use]
    pub fn faults(&self) -> Arc<[Fault]> {
        let faults = self.0.as_ref().map(|inner| inner.faults.read().clone());
        faults.unwrap_or_else(|| Arc::from([]))
    }

    /// Counts an injected fault whose effect is implemented elsewhere.
    pub fn count(&self, kind: FaultKind) {
        if let Some(inner) = &self.0 {
            inner.metrics.faults_injected.increment(kind);
        }
    }

    /// The delay to inject into the handler of the route `asked`.
    #[must_use]
    pub fn latency(&self, asked: &str) -> Option<Duration> {
        self.inject(|effect| match effect {
            Effect::Latency { delay_ms, route } if matches_filter(route.as_deref(), asked) => Some(millis(*delay_ms)),
            _ => None,
        })
    }

    /// The failure to inject into the handler of the route `asked`.
    #[must_use]
    pub fn failure(&self, asked: &str) -> Option<Failure> {
        self.inject(|effect| match effect {
            Effect::Error { status, route } if matches_filter(route.as_deref(), asked) => Some(Failure::Status(*status)),
            Effect::Panic { route } if matches_filter(route.as_deref(), asked) => Some(Failure::Panic),
            _ => None,
        })
    }

    /// The delay to inject before a statement.
    #[must_use]
    pub fn statement(&self, query: Query) -> Option<Duration> {
        self.inject(|effect| match effect {
            Effect::Database { delay_ms, table } if can_be_hurt(query) && matches_filter(table.as_deref(), query.table()) => {
                Some(millis(*delay_ms))
            }
            _ => None,
        })
    }

    /// Whether statements of this task are exempt while a fault delays others. The task must then bypass the pool, because the delayed
    /// statements may have exhausted the pool.
    #[must_use]
    pub fn bypasses_pool(&self) -> bool {
        let (Some(inner), true) = (&self.0, is_exempt()) else { return false };
        let now = OffsetDateTime::now_utc();
        let holds_up = |fault: &Fault| matches!(fault.effect, Effect::Database { .. }) && fault.expires_at > now;
        inner.faults.read().iter().any(holds_up)
    }

    /// Whether to drop an event to a client.
    #[must_use]
    pub fn drops_event(&self) -> bool {
        self.inject(|effect| matches!(effect, Effect::DropEvent {}).then_some(())).is_some()
    }

    /// The failure or delay to inject into a driver call.
    #[must_use]
    pub fn driver(&self, call: DriverOperation) -> Option<CallFault> {
        self.inject(|effect| match effect {
            Effect::Driver { delay_ms, operation } if operation.is_none_or(|operation| operation == call) => {
                Some(delay_ms.map_or(CallFault::Fails, |delay| CallFault::Delayed(millis(delay))))
            }
            _ => None,
        })
    }

    /// Whether to refuse a password login.
    #[must_use]
    pub fn refuses_login(&self) -> bool {
        self.inject(|effect| matches!(effect, Effect::Login {}).then_some(())).is_some()
    }

    /// Injects at most one fault and counts it. Tries the unexpired faults that `answer` accepts, in order, until one takes effect. The
    /// probability that a tried fault takes effect is its `percent`.
    fn inject<T>(&self, answer: impl Fn(&Effect) -> Option<T>) -> Option<T> {
        let inner = self.0.as_ref()?;
        let faults = inner.faults.read();
        if faults.is_empty() {
            return None;
        }
        let now = OffsetDateTime::now_utc();
        let (kind, struck) = faults.iter().filter(|fault| fault.expires_at > now).find_map(|fault| {
            let struck = answer(&fault.effect)?;
            (rand::random_range(0..100) < fault.percent).then_some((fault.effect.kind(), struck))
        })?;
        inner.metrics.faults_injected.increment(kind);
        Some(struck)
    }
}

/// Runs a future and exempts its statements from fault injection. While a fault delays other statements, the future uses the reserved
/// connection outside the pool.
pub async fn exempt<F: Future>(future: F) -> F::Output {
    EXEMPT.scope((), future).await
}

/// The tables that faults can target, and `transaction` for `BEGIN` and `COMMIT`.
#[must_use]
pub fn tables() -> BTreeSet<&'static str> {
    Query::MEMBERS.iter().filter(|query| !is_vital(**query)).map(|query| query.table()).collect()
}

/// Statements that are always exempt: those of health checks, of invalidations of cached entries, and of faults.
fn is_vital(query: Query) -> bool {
    matches!(query, Query::Ping | Query::SelectFaults | Query::UpdateFaults)
        || matches!(query.table(), "cache_invalidations" | "cache_readers")
}

fn can_be_hurt(query: Query) -> bool {
    !is_vital(query) && !is_exempt()
}

fn is_exempt() -> bool {
    EXEMPT.try_with(|()| ()).is_ok()
}

fn matches_filter(wanted: Option<&str>, asked: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == asked)
}

fn millis(delay: u32) -> Duration {
    Duration::from_millis(delay.into())
}

impl Query {
    /// The label `table` of the statement.
    fn table(self) -> &'static str {
        self.values().last().copied().unwrap_or_default()
    }
}

/// The routes that report the state of the service, and those that an admin needs to end a fault. They are exempt, with every route below
/// them.
const EXEMPT_ROUTES: [&str; 9] =
    ["/health", "/metrics", "/api/metrics", "/api/faults", "/studio/faults", "/login", "/api/auth/login", "/assets", "/favicon.ico"];

/// Whether this route is exempt from fault injection.
#[must_use]
pub fn is_exempt_route(route: &str) -> bool {
    EXEMPT_ROUTES.iter().any(|exempt| route.strip_prefix(exempt).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exempt_routes_include_the_routes_below_them_and_no_others() {
        for route in ["/health", "/health/ready", "/metrics", "/api/metrics", "/api/faults/{id}", "/login", "/assets/{file}"] {
            assert!(is_exempt_route(route), "{route}");
        }
        for route in ["/", "/healthy", "/api/auth/logout", "/api/auth/me", "/studio", "/api/projects"] {
            assert!(!is_exempt_route(route), "{route}");
        }
    }
}
