//! The second factor of a password sign-in: a code of an authenticator (TOTP, RFC 6238), or a recovery code.
//!
//! - A code is valid for 30 s, and one step before and after. It is accepted once; older ones are refused from then on.
//! - Ten recovery codes of 80 random bits each work once. Only hashes of them are stored.
//! - The secret is sealed with `TOKEN_KEYS`. Without these keys, no second factor can be set up: the service could not read it after a
//!   restart. One replica seals secrets of older keys again, with the first key.
//! - Wrong codes count like wrong passwords. A sign-in through a platform needs no code: the platform has factors of its own.

mod model;
mod routes;
mod service;
mod store;

pub use model::{Code, Overview, Pending};
pub use routes::routes;
