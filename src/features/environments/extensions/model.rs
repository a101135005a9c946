//! The data of an extension requested for an environment, and its status.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

pub use crate::domain::Extension;

/// Installation status of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstallStatus {
    /// Waits for its installation, which needs a running environment.
    Pending,
    Installed,
    /// The installation or removal failed; see [`Install::reason`].
    Failed,
    /// Waits for its removal, which needs a running environment.
    Removing,
}

impl InstallStatus {
    /// Parses a stored value; `None` if this version does not know it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "pending" => Some(Self::Pending),
            "installed" => Some(Self::Installed),
            "failed" => Some(Self::Failed),
            "removing" => Some(Self::Removing),
            _ => None,
        }
    }

    /// The value to store in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Installed => "installed",
            Self::Failed => "failed",
            Self::Removing => "removing",
        }
    }
}

/// An extension requested for an environment.
#[derive(Clone, Debug)]
pub struct Install {
    pub extension: Extension,
    pub status: InstallStatus,
    /// Reason for the status `failed`, for users.
    pub reason: Option<String>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}
