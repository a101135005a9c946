//! Fault injection by admins, to test alerts, runbooks and clients. It exists only where `FAULTS` is on.
//!
//! - A fault has one kind, affects one replica or all, and expires within an hour. The client chooses the identifier of the fault, so that
//!   it can retry the request.
//! - Faults are stored in Postgres, and every replica polls them each second. While Postgres is unavailable, the last list stays in effect;
//!   each replica expires faults by its own clock.
//! - Most faults take effect at injection points outside this feature. [`fault_injection`](crate::fault_injection) lists these points and
//!   keeps the active faults for them. Held memory, busy workers and the end of a background task are implemented here.
//! - Injection points exempt health, metrics, the page and the API of faults, and sign-in with a password, so that an admin can sign in and
//!   end a fault. Only the fault `login` affects sign-in with a password; it spares admins.

mod events;
mod hold;
mod model;
mod routes;
mod service;
mod store;
mod watch;

pub use routes::{Operator, routes};
pub use service::{FaultError, Faults};
