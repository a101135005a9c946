//! The logs of environments: what their containers write, and what Vitrine has to say of them, as numbered lines in
//! bounded storage.
//!
//! - A running environment is followed by one replica at a time. It holds a *claim* for ten seconds and renews it;
//!   when it dies, another replica claims the environment and goes on from the stored position.
//! - Lines, their numbers and the position that was reached become true in one transaction that only the holder of the
//!   claim can make: nothing is lost or stored twice, whoever dies in between.
//! - Readers wait for the writer and the writer for the database. The engine keeps what was not read yet, so an outage
//!   loses nothing and takes no memory.
//! - Lines are dropped only where an environment writes more than `LOG_LINES_PER_SECOND` within one second of its own
//!   clock: the rest of that second is counted, and a line of the log says so.
//! - The last `LOG_LINES_KEPT` lines are kept. Numbers have no gaps, so a reader sees by a jump that older ones went.
//! - Whoever follows a log live reads what is stored and then what is new, on any replica, by those numbers alone.

mod claims;
mod events;
mod follow;
mod live;
mod model;
mod position;
mod reader;
mod routes;
mod socket;
mod store;
mod tail;
mod writer;

pub use events::system_line_stored;
pub use follow::Follower;
pub use live::Live;
pub use model::Entry;
pub use routes::routes;
pub use socket::send_log;
pub use store::{append_system, read};
pub use tail::Tail;
