//! The jobs of environments. `change` and `reconcile` handle them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::driver::DriverError;
use super::model::Environment;
use super::state::Operation;
use crate::jobs::{Failure, NewJob};
use crate::metrics::labels::JobKind;

/// The payload of the job that carries out an operation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Change {
    pub environment: Uuid,
    pub operation: Operation,
    /// The environment's version when the operation began. A newer version means that a later operation has superseded this one.
    pub version: i64,
}

impl Change {
    /// The job for an operation that the environment has begun.
    pub fn job(environment: &Environment, operation: Operation) -> NewJob {
        let change = Self { environment: environment.id, operation, version: environment.version };
        NewJob::new(JobKind::EnvironmentChange, &change).in_lane(lane(environment.id))
    }
}

/// The lane of an environment's jobs; jobs of one lane run one at a time.
pub fn lane(environment: Uuid) -> String {
    format!("environment {environment}")
}

/// The job that compares the database with the driver; unique, so that at most one runs in the whole fleet.
pub fn reconciliation() -> NewJob {
    NewJob::new(JobKind::EnvironmentReconcile, &()).unique("environment_reconcile")
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Unavailable(_) | DriverError::Timeout | DriverError::Failed(_) => Self::retry(error),
            DriverError::NoContainer | DriverError::Refused(_) => Self::Permanent(error.to_string()),
        }
    }
}
