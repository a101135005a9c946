//! Sessions: a user's workspaces in an environment. A `shell` or `tmux` session has a terminal; a `vscode` session attaches an editor
//! through a link. A session ends when its user, the owner of the project or an admin closes it, when its program exits, or when its
//! environment stops.

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
pub use store::{active_and_newest, close_all};
pub use terminals::Terminals;
