//! Mails to the owners of accounts, sent by jobs.
//!
//! - A job holds the kind of mail and the account, or for a reset the requested address, but no link: each attempt creates a link and sends
//!   it. So no token is in the queue.
//! - While the mail server is unavailable, the mail waits and is attempted again after a minute, then after ever longer pauses. The fifth
//!   failure is final, about three hours after the first.
//! - If an attempt sends the mail but its replica dies before the job ends, the mail is sent twice; the links of both work.
//! - Without `SMTP_URL`, no mail is sent and no job is written.

mod deliver;
mod jobs;
mod letters;

pub use deliver::DeliverMail;
pub use jobs::Mail;
