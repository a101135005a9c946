//! One file per verb; each has its `Args` and a `run` that answers whether all passed.

pub mod down;
pub mod stores;
pub mod up;
