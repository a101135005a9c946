//! Sessions in environments: who works where, and how. `shell` and `tmux` are terminals, `vscode` attaches an editor by
//! a link. A session ends when its user closes it, when its program ends and when its environment stops running.

mod model;
mod routes;
mod service;
mod socket;
mod store;
mod terminals;

pub use model::{Closed, Session, SessionStatus, SessionType, TerminalEnd};
pub use routes::routes;
pub use service::{report, report_nothing};
pub use socket::sockets;
pub use store::close_all;
pub use terminals::Terminals;
