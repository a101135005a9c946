//! The second factor of a password sign-in: a code of an authenticator (TOTP, RFC 6238), or a recovery code.
//!
//! - A code belongs to a step of 30 s, and is also valid during the step before and the step after. A code is accepted once; from then on,
//!   older codes are refused.
//! - There are ten recovery codes of 80 random bits. Each works once. From the activation on, only their hashes are stored.
//! - The secret is sealed with `TOKEN_KEYS`. Without these keys, no second factor can be set up: the service could not read it after a
//!   restart. After a change of the keys, one replica seals all secrets again with the first key.
//! - Wrong codes count like wrong passwords. A sign-in through a platform needs no code: the platform has factors of its own.

mod model;
mod routes;
mod service;
mod store;

pub use model::{Code, Overview, Pending};
pub use routes::routes;
