//! The facts of faults: each is a log line. That they strike is counted where they do.

use uuid::Uuid;

use crate::faults::Fault;

/// Somebody made one.
pub fn ordered(user: Uuid, fault: &Fault) {
    tracing::info!(%user, id = %fault.id, fault = fault.effect.kind().name(), "fault ordered");
}

/// Somebody ended some.
pub fn called_off(user: Uuid, count: u64) {
    tracing::info!(%user, count, "faults called off");
}

/// It strikes this replica from now on.
pub fn begun(fault: &Fault) {
    let Fault { id, percent, effect, expires_at, .. } = fault;
    tracing::warn!(%id, fault = effect.kind().name(), percent, ?effect, %expires_at, "fault begun");
}

/// It was ended before its time, or another was put in its place.
pub fn ended(fault: &Fault) {
    tracing::warn!(id = %fault.id, fault = fault.effect.kind().name(), "fault ended");
}

/// Its time has come.
pub fn expired(fault: &Fault) {
    tracing::warn!(id = %fault.id, fault = fault.effect.kind().name(), "fault expired");
}
