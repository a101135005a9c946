//! Environments.

pub mod driver;
pub mod logs;
