//! Faults that admins make on purpose, to try alerts, runbooks and what clients do: there at all only where `FAULTS` is on.
//!
//! - A fault is of one kind, strikes one replica or all, and ends by itself within an hour. Whoever makes it names it, so
//!   that a request may be repeated.
//! - It is stored, and every replica looks each second which there are. While Postgres is away the last list holds; a fault
//!   expires by each replica's own clock.
//! - Most strike where something is done on behalf of others: those seams ask the armed set, see
//!   [`faults`](crate::faults), and no rule of a feature knows of it. What lasts, memory that is held and workers that are
//!   kept busy, is here.
//! - Health, metrics and the interface of faults are never hurt, nor what an admin needs to sign in and end one.

mod events;
mod hold;
mod model;
mod routes;
mod service;
mod store;
mod watch;

pub use routes::{Operator, routes};
pub use service::{FaultError, Faults};
