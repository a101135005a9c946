//! Sessions in environments: who works where, and how. `shell` and `tmux` are terminals, `vscode` attaches an editor by
//! a link. A session ends when its user closes it and when its environment stops running.

mod model;
mod routes;
mod service;
mod store;

pub use routes::routes;
pub use service::{report, report_nothing};
pub use store::close_all;
