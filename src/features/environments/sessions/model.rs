//! The types of sessions, the link that attaches an editor, and the reasons for which a terminal ends.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::driver::Program;
use crate::features::projects::Action;

pub use crate::domain::{SessionStatus, SessionType};

/// Maximum number of active sessions in one environment.
pub const MAX_SESSIONS: u32 = 10;
/// Directory in which an editor opens.
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
    /// The program in the session's terminal; `None` for an editor session.
    pub fn program(&self) -> Option<Program> {
        match self.kind {
            SessionType::Shell => Some(Program::Shell),
            SessionType::Tmux => Some(Program::Tmux(self.id)),
            SessionType::Vscode => None,
        }
    }

    /// The URL that attaches VS Code to the session's container. `None` unless the session is an active editor session. After
    /// `attached-container+`, the Dev Containers extension expects a description of the container, as JSON in hexadecimal.
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

    /// The action that must be permitted to close the session. Members may close their own sessions; the owner and admins may close any.
    pub fn action_to_close(&self, user: Uuid) -> Action {
        if self.user_id == user { Action::Enter } else { Action::Manage }
    }
}

/// Why a terminal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TerminalEnd {
    /// The program exited.
    Exited,
    /// The session was closed.
    Closed,
    /// The environment stopped or was deleted, the output failed, or the reason could not be determined.
    Stopped,
    /// The user may no longer change the project.
    AccessLost,
}

impl TerminalEnd {
    /// The reason in log lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::Closed => "closed",
            Self::Stopped => "stopped",
            Self::AccessLost => "access_lost",
        }
    }
}

/// The signal that tells replicas which sessions were closed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// One session.
    Session(Uuid),
    /// All sessions of an environment.
    Environment(Uuid),
}

impl Closed {
    /// Whether the signal covers this session.
    pub fn concerns(self, session: &Session) -> bool {
        match self {
            Self::Session(id) => id == session.id,
            Self::Environment(id) => id == session.environment_id,
        }
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
