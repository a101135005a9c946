//! The logs of environments: the output of containers and Vitrine's messages about the environment, as numbered lines in bounded storage.
//!
//! - One replica at a time follows the log of a running environment. The replica's *claim* on the log lasts ten seconds and is renewed
//!   every second. If the replica dies, another one claims the log and continues at the stored position.
//! - Lines of output, their numbers and the reader's position are committed in one transaction, only by the holder of the claim. Therefore
//!   no line is lost or stored twice when a replica dies.
//! - Readers wait for the writer, and the writer for the database. The engine keeps unread output. An outage of the database therefore does
//!   not fill Vitrine's memory, and loses no line unless a container writes more than the engine keeps (Docker: 20 to 30 MB).
//! - Vitrine drops lines only when an environment writes more than `LOG_LINES_PER_SECOND` lines within one second of the engine's clock. A
//!   line in the log reports the number of dropped lines.
//! - The last `LOG_LINES_KEPT` lines are kept. Numbers are consecutive, so a gap tells a client that older lines were deleted.
//! - A client that follows a log receives stored lines and then new ones. To resume on any replica, the client sends the number of the last
//!   line that it received.

mod claims;
mod events;
mod follow;
mod live;
mod model;
mod position;
mod reader;
mod routes;
mod service;
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
