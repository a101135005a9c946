//! Environments.

pub mod driver;
