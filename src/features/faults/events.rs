//! The events of fault injection: each writes a log line. Injected faults are counted where they take effect.

use uuid::Uuid;

use crate::fault_injection::Fault;

/// A request has created or replaced a fault.
pub fn ordered(user: Uuid, fault: &Fault) {
    tracing::info!(%user, id = %fault.id, fault = fault.effect.kind().name(), "fault requested");
}

/// A request has ended faults.
pub fn called_off(user: Uuid, count: u64) {
    tracing::info!(%user, count, "faults removed on request");
}

/// The fault is active on this replica from now on.
pub fn begun(fault: &Fault) {
    let Fault { id, percent, effect, expires_at, .. } = fault;
    tracing::warn!(%id, fault = effect.kind().name(), percent, ?effect, %expires_at, "fault started");
}

/// The fault was ended before it expired, or was replaced.
pub fn ended(fault: &Fault) {
    tracing::warn!(id = %fault.id, fault = fault.effect.kind().name(), "fault ended");
}

pub fn expired(fault: &Fault) {
    tracing::warn!(id = %fault.id, fault = fault.effect.kind().name(), "fault expired");
}
