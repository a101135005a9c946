//! Faults that are made on purpose, as the places see them where they strike: *seams*. Each asks the [`Armed`] set whether it
//! is to fail now, in one line; with `FAULTS` off the set holds nothing and the question costs nothing.
//!
//! | where | asks |
//! | --- | --- |
//! | the layer around the handlers, `http/faults.rs` | [`Armed::latency`], [`Armed::failure`] |
//! | a statement on its connection, `db/conn.rs` | [`Armed::statement`] |
//! | an event on its way to a client, `realtime/client.rs` | [`Armed::drops_event`] |
//! | a call of the driver, `driver/engine.rs` | [`Armed::driver`] |
//! | a password login, `accounts/service.rs` | [`Armed::refuses_login`] |
//!
//! Who may make faults, how replicas hear of them, and what a replica does as long as one lasts is the feature
//! [`features::faults`](crate::features::faults).

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::metrics::Metrics;
use crate::metrics::labels::{DriverOperation, FaultKind, Query};

tokio::task_local! {
    static SPARED: ();
}

/// A fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What whoever made it calls it.
    pub id: Uuid,
    /// The one replica that it strikes; every one without.
    pub replica: Option<String>,
    /// How often it strikes, of a hundred times.
    pub percent: u8,
    /// What it does.
    pub effect: Effect,
    /// When it was made, or made anew.
    pub begun_at: OffsetDateTime,
    /// When it ends by itself.
    pub expires_at: OffsetDateTime,
}

/// What a fault does, and to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Effect {
    /// Handlers take so much longer.
    Latency {
        /// Milliseconds.
        delay_ms: u32,
        /// The route that it strikes; every one without.
        #[serde(skip_serializing_if = "Option::is_none")]
        route: Option<String>,
    },
    /// Handlers answer with an error.
    Error {
        /// 500 or 503.
        status: u16,
        /// The route that it strikes; every one without.
        #[serde(skip_serializing_if = "Option::is_none")]
        route: Option<String>,
    },
    /// Handlers panic.
    Panic {
        /// The route that it strikes; every one without.
        #[serde(skip_serializing_if = "Option::is_none")]
        route: Option<String>,
    },
    /// Memory is held.
    Memory {
        /// How much.
        mebibytes: u32,
    },
    /// Tasks that never wait keep the runtime's workers busy.
    Block {
        /// Milliseconds until other tasks get a turn.
        delay_ms: u32,
    },
    /// Statements are slow.
    Database {
        /// Milliseconds that pass before each.
        delay_ms: u32,
        /// The table whose statements it strikes; all without.
        #[serde(skip_serializing_if = "Option::is_none")]
        table: Option<String>,
    },
    /// Socket.IO events do not reach clients.
    DropEvent {},
    /// The driver of environments fails.
    Driver {
        /// With it calls take so many milliseconds longer, and do not fail.
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u32>,
        /// The call that it strikes; every one without.
        #[serde(skip_serializing_if = "Option::is_none")]
        operation: Option<DriverOperation>,
    },
    /// Password logins are refused as if the password were wrong; those of admins are not.
    Login {},
    /// A background task of the service ends, and so the replica leaves and is started again.
    Task {},
}

impl Effect {
    /// Of which kind it is.
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

/// How a handler is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// By an answer with this status.
    Status(u16),
    /// By a panic.
    Panic,
}

/// What becomes of a call of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFault {
    /// It fails.
    Fails,
    /// It takes so much longer.
    Delayed(Duration),
}

/// The faults that strike this replica now; clones share them. By default there never are any.
#[derive(Clone, Default)]
pub struct Armed(Option<Arc<Inner>>);

struct Inner {
    replica: String,
    faults: RwLock<Arc<[Fault]>>,
    metrics: Metrics,
}

impl Armed {
    /// A set for a replica of this name, that can be armed.
    #[must_use]
    pub fn new(replica: String, metrics: Metrics) -> Self {
        Self(Some(Arc::new(Inner { replica, faults: RwLock::new(Arc::from([])), metrics })))
    }

    /// Puts these in the place of those that were armed, but for what strikes other replicas alone.
    pub fn arm(&self, faults: impl IntoIterator<Item = Fault>) {
        let Some(inner) = &self.0 else { return };
        let is_mine = |fault: &Fault| fault.replica.as_ref().is_none_or(|replica| *replica == inner.replica);
        *inner.faults.write().unwrap_or_else(PoisonError::into_inner) = faults.into_iter().filter(is_mine).collect();
    }

    /// Those that are armed, expired ones included.
    #[must_use]
    pub fn faults(&self) -> Arc<[Fault]> {
        let faults = self.0.as_ref().map(|inner| inner.faults.read().unwrap_or_else(PoisonError::into_inner).clone());
        faults.unwrap_or_else(|| Arc::from([]))
    }

    /// Counts that a fault has struck.
    pub fn count(&self, kind: FaultKind) {
        if let Some(inner) = &self.0 {
            inner.metrics.faults_injected.increment(kind);
        }
    }

    /// How much longer the handler of a route is to take.
    #[must_use]
    pub fn latency(&self, asked: &str) -> Option<Duration> {
        self.strike(|effect| match effect {
            Effect::Latency { delay_ms, route } if fits(route.as_deref(), asked) => Some(millis(*delay_ms)),
            _ => None,
        })
    }

    /// How the handler of a route is to fail.
    #[must_use]
    pub fn failure(&self, asked: &str) -> Option<Failure> {
        self.strike(|effect| match effect {
            Effect::Error { status, route } if fits(route.as_deref(), asked) => Some(Failure::Status(*status)),
            Effect::Panic { route } if fits(route.as_deref(), asked) => Some(Failure::Panic),
            _ => None,
        })
    }

    /// How long its connection is to sleep before a statement.
    #[must_use]
    pub fn statement(&self, query: Query) -> Option<Duration> {
        self.strike(|effect| match effect {
            Effect::Database { delay_ms, table } if can_be_hurt(query) && fits(table.as_deref(), query.table()) => Some(millis(*delay_ms)),
            _ => None,
        })
    }

    /// Whether statements are held up, which may use up every connection, and this is done for somebody who is spared.
    #[must_use]
    pub fn has_to_go_aside(&self) -> bool {
        let (Some(inner), true) = (&self.0, is_spared()) else { return false };
        let now = OffsetDateTime::now_utc();
        let holds_up = |fault: &Fault| matches!(fault.effect, Effect::Database { .. }) && fault.expires_at > now;
        inner.faults.read().unwrap_or_else(PoisonError::into_inner).iter().any(holds_up)
    }

    /// Whether an event is not to reach its client.
    #[must_use]
    pub fn drops_event(&self) -> bool {
        self.strike(|effect| matches!(effect, Effect::DropEvent {}).then_some(())).is_some()
    }

    /// What is to become of a call of the driver.
    #[must_use]
    pub fn driver(&self, call: DriverOperation) -> Option<CallFault> {
        self.strike(|effect| match effect {
            Effect::Driver { delay_ms, operation } if operation.is_none_or(|operation| operation == call) => {
                Some(delay_ms.map_or(CallFault::Fails, |delay| CallFault::Delayed(millis(delay))))
            }
            _ => None,
        })
    }

    /// Whether a login is to be refused.
    #[must_use]
    pub fn refuses_login(&self) -> bool {
        self.strike(|effect| matches!(effect, Effect::Login {}).then_some(())).is_some()
    }

    /// The first fault that answers and whose chance it is; counted.
    fn strike<T>(&self, answer: impl Fn(&Effect) -> Option<T>) -> Option<T> {
        let inner = self.0.as_ref()?;
        let faults = inner.faults.read().unwrap_or_else(PoisonError::into_inner);
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

/// Runs something whose statements no fault strikes or keeps waiting.
pub async fn spare<F: Future>(future: F) -> F::Output {
    SPARED.scope((), future).await
}

/// The tables that a fault can be about.
#[must_use]
pub fn tables() -> BTreeSet<&'static str> {
    Query::MEMBERS.iter().filter(|query| !is_vital(**query)).map(|query| query.table()).collect()
}

/// What health, the end of cached entries and the faults themselves rest on is never hurt.
fn is_vital(query: Query) -> bool {
    matches!(query, Query::Ping | Query::SelectFaults | Query::UpdateFaults)
        || matches!(query.table(), "cache_invalidations" | "cache_readers")
}

fn can_be_hurt(query: Query) -> bool {
    !is_vital(query) && !is_spared()
}

fn is_spared() -> bool {
    SPARED.try_with(|()| ()).is_ok()
}

fn fits(wanted: Option<&str>, asked: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == asked)
}

fn millis(delay: u32) -> Duration {
    Duration::from_millis(delay.into())
}

impl Query {
    /// The table that it is about.
    fn table(self) -> &'static str {
        self.values().last().copied().unwrap_or_default()
    }
}
