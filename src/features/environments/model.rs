//! The types of environments and what text may become one of them. Where one stands: `state`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::driver::Image;
use super::state::Status;
use crate::http::FieldError;
use crate::http::fields::{Fields, Line};
use crate::metrics::labels::DriverName;

/// The name of an environment.
pub type Name = Line<1, 60>;

/// An environment of a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Environment {
    pub id: Uuid,
    pub project_id: Uuid,
    pub name: String,
    pub image: Image,
    /// What runs it; a replica with another driver leaves it alone.
    pub driver: DriverName,
    pub status: Status,
    /// Why the status is an error.
    pub last_error: Option<String>,
    /// The engine's identifier of its container.
    pub container: Option<String>,
    /// Grows with every change of status.
    pub version: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// An environment to be.
#[derive(Debug, Serialize)]
pub struct NewEnvironment {
    pub name: String,
    pub image: Image,
}

impl NewEnvironment {
    /// Checks what was sent.
    pub fn parse(name: &str, image: Image) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let name = Name::read(&mut fields, "name", name);
        fields.finish(Self { name, image })
    }
}

/// How many environments there may be.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// In one project.
    pub per_project: u32,
    /// Made by one account.
    pub per_user: u32,
}
