//! One file per verb; each has its `Args` and a `run` that returns whether every step passed.

pub mod browser;
pub mod cardinality;
pub mod catalogue;
pub mod ci;
pub mod dashboards;
pub mod down;
pub mod drill;
pub mod fanout;
pub mod growth;
pub mod health_matrix;
pub mod interface;
pub mod load;
pub mod notifications;
pub mod overhead;
pub mod panels;
pub mod peers;
pub mod prose;
pub mod reconcile;
pub mod roll;
pub mod rules;
pub mod slo;
pub mod sqlx;
pub mod stores;
pub mod test;
pub mod up;
pub mod web;
