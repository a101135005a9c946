//! The types of sessions, and the link by which an editor attaches.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

pub use crate::metrics::labels::{SessionStatus, SessionType};

/// Active sessions in one environment.
pub const MAX_SESSIONS: u32 = 10;
/// Where an editor opens.
const HOME: &str = "/tmp/home";

/// A session in an environment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Session {
    pub id: Uuid,
    pub environment_id: Uuid,
    pub user_id: Uuid,
    pub kind: SessionType,
    pub status: SessionStatus,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
}

impl Session {
    /// The address with which VS Code attaches to the session's container (Dev Containers extension: the authority is the
    /// hexadecimal form of a description of the container); none for terminals and for what has ended.
    pub fn link(&self, container: &str) -> Option<String> {
        if self.kind != SessionType::Vscode || self.status != SessionStatus::Active {
            return None;
        }
        let description = serde_json::json!({ "containerName": format!("/{container}") }).to_string();
        let mut link = "vscode://vscode-remote/attached-container+".to_owned();
        for byte in description.bytes() {
            let _infallible = write!(link, "{byte:02x}");
        }
        Some(link + HOME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_active_editor_session_has_a_link() {
        let session = |kind, status| Session {
            id: Uuid::nil(),
            environment_id: Uuid::nil(),
            user_id: Uuid::nil(),
            kind,
            status,
            created_at: OffsetDateTime::UNIX_EPOCH,
            closed_at: None,
        };
        let link = session(SessionType::Vscode, SessionStatus::Active).link("a").unwrap();
        assert_eq!(link, "vscode://vscode-remote/attached-container+7b22636f6e7461696e65724e616d65223a222f61227d/tmp/home");
        assert_eq!(session(SessionType::Vscode, SessionStatus::Closed).link("a"), None);
        assert_eq!(session(SessionType::Shell, SessionStatus::Active).link("a"), None);
    }
}
