//! The types of environments, and the validation of requests to create them. `state` has the transitions between statuses.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::driver::Image;
use super::state::Status;
use crate::domain::DriverName;
use crate::domain::validation::FieldError;
use crate::domain::validation::{Fields, Line};

/// The rule for the name of an environment.
pub type Name = Line<1, 60>;

/// An environment of a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Environment {
    pub id: Uuid,
    pub project_id: Uuid,
    pub name: String,
    pub image: Image,
    /// The driver that runs the environment. Replicas with another driver cannot operate its container.
    pub driver: DriverName,
    pub status: Status,
    /// The reason for the status `error`.
    pub last_error: Option<String>,
    /// The engine's identifier of the container.
    pub container: Option<String>,
    /// Every change of status increments the version.
    pub version: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// A valid request to create an environment.
#[derive(Debug, Serialize)]
pub struct NewEnvironment {
    pub name: String,
    pub image: Image,
}

impl NewEnvironment {
    /// Validates the request.
    pub fn parse(name: &str, image: Image) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let name = Name::read(&mut fields, "name", name);
        fields.finish(Self { name, image })
    }
}

/// Maximum numbers of environments.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// In one project.
    pub per_project: u32,
    /// Created by one account, in all projects together.
    pub per_user: u32,
}
