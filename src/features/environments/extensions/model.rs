//! The types of installed extensions.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

pub use crate::metrics::labels::Extension;

/// How far an extension is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstallStatus {
    /// It will be installed while the environment runs.
    Pending,
    Installed,
    /// It could not be installed or removed; the reason says why.
    Failed,
    /// It will be removed while the environment runs.
    Removing,
}

impl InstallStatus {
    /// The status that the database holds.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "pending" => Some(Self::Pending),
            "installed" => Some(Self::Installed),
            "failed" => Some(Self::Failed),
            "removing" => Some(Self::Removing),
            _ => None,
        }
    }

    /// The status as the database holds it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Installed => "installed",
            Self::Failed => "failed",
            Self::Removing => "removing",
        }
    }
}

/// An extension of an environment.
#[derive(Clone, Debug)]
pub struct Install {
    pub extension: Extension,
    pub status: InstallStatus,
    /// Why it failed.
    pub reason: Option<String>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}
