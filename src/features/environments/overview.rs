//! Reads an environment and its contents for the environment's page, with one permission check and one connection for all contents.

use uuid::Uuid;

use super::extensions::{self, Install};
use super::logs::{self, Entry};
use super::model::Environment;
use super::service::{EnvironmentError, Environments};
use super::sessions::{self, Session};
use crate::features::accounts::User;

/// An environment with its contents.
pub struct Overview {
    pub environment: Environment,
    pub sessions: Vec<Session>,
    pub extensions: Vec<Install>,
    /// The newest log entries, in ascending order.
    pub log: Vec<Entry>,
}

impl Environments {
    /// Reads an environment and its contents, if the user may read it. The contents are the active sessions and the last `newest` sessions,
    /// all extensions, and the last `lines` lines of the log.
    pub(crate) async fn overview(&self, user: &User, id: Uuid, newest: i64, lines: i64) -> Result<Overview, EnvironmentError> {
        let environment = self.read(user, id).await?;
        let mut conn = self.parts().db.acquire().await?;
        let sessions = sessions::active_and_newest(&mut conn, id, newest).await?;
        let extensions = extensions::of_environment(&mut conn, id).await?;
        let log = logs::read(&mut conn, id, None, lines).await?;
        Ok(Overview { environment, sessions, extensions, log })
    }
}
