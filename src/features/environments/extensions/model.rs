//! The types of requested extensions.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

pub use crate::domain::Extension;

/// Installation status of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstallStatus {
    /// Will be installed while the environment runs.
    Pending,
    Installed,
    /// The installation or removal failed; the reason is stored.
    Failed,
    /// Will be removed while the environment runs.
    Removing,
}

impl InstallStatus {
    /// Parses the database's value; `None` if this version does not know it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "pending" => Some(Self::Pending),
            "installed" => Some(Self::Installed),
            "failed" => Some(Self::Failed),
            "removing" => Some(Self::Removing),
            _ => None,
        }
    }

    /// The database's value.
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
    /// Reason for the status `failed`.
    pub reason: Option<String>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}
