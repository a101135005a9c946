//! The state machine of environments, as pure functions: the legal operations in each status, and the statuses that follow.

use serde::{Deserialize, Serialize};

use super::driver::ContainerState;
pub use crate::domain::EnvironmentStatus as Status;

/// An operation on an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Create,
    Start,
    Stop,
    Restart,
    Delete,
}

/// Why an operation is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    #[error("the environment does not exist")]
    Absent,
    #[error("the environment is being deleted")]
    Busy,
    #[error("the environment is running")]
    Running,
    #[error("the environment is not running")]
    NotRunning,
}

impl Operation {
    /// The operation's name in log lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Delete => "delete",
        }
    }

    /// The status while the operation is in progress. `from` is the current status, `None` for an environment that does not exist yet.
    ///
    /// An operation may begin while another one is in progress, and then supersedes it. A deletion is legal whenever the environment
    /// exists. Any other operation is legal if it would be legal after the operation in progress.
    pub fn begin(self, from: Option<Status>) -> Result<Status, Illegal> {
        let Some(from) = from else { return if self == Self::Create { Ok(Status::Creating) } else { Err(Illegal::Absent) } };
        match (self, Destination::of(from)) {
            (Self::Delete, _) => Ok(Status::Deleting),
            (Self::Create, _) | (_, Destination::Deleted) => Err(Illegal::Busy),
            (Self::Start, Destination::NotRunning) | (Self::Restart, Destination::Running) => Ok(Status::Starting),
            (Self::Start, Destination::Running) => Err(Illegal::Running),
            (Self::Stop, Destination::Running) => Ok(Status::Stopping),
            (Self::Stop | Self::Restart, Destination::NotRunning) => Err(Illegal::NotRunning),
        }
    }

    /// The operation of the new job; `from` is the status before the request. `None` if the job of an earlier request already performs it.
    pub const fn job(self, from: Status) -> Option<Self> {
        match (self, from) {
            (Self::Delete, Status::Deleting) => None,
            // The start supersedes the stop in progress, so the container may still be running. A restart stops and starts
            // the container.
            (Self::Start, Status::Stopping) => Some(Self::Restart),
            _ => Some(self),
        }
    }

    /// The status after the operation. `None` after a deletion.
    pub const fn done(self) -> Option<Status> {
        match self {
            Self::Create | Self::Stop => Some(Status::Stopped),
            Self::Start | Self::Restart => Some(Status::Running),
            Self::Delete => None,
        }
    }
}

/// The state of an environment after the operation in progress, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Destination {
    NotRunning,
    Running,
    Deleted,
}

impl Destination {
    const fn of(status: Status) -> Self {
        match status {
            Status::Creating | Status::Stopping | Status::Stopped | Status::Error => Self::NotRunning,
            Status::Starting | Status::Running => Self::Running,
            Status::Deleting => Self::Deleted,
        }
    }
}

/// Compares a status with the state of the container. If they disagree, returns the corrected status and the reason.
pub fn observed(status: Status, container: Option<ContainerState>) -> Option<(Status, String)> {
    match (status, container) {
        // Either an operation is in progress, and its job will set the status, or status and container agree.
        (Status::Creating | Status::Starting | Status::Stopping | Status::Deleting, _)
        | (Status::Running, Some(ContainerState::Running))
        | (Status::Stopped, Some(ContainerState::Created | ContainerState::Exited { .. }))
        | (Status::Error, None | Some(ContainerState::Created | ContainerState::Exited { .. })) => None,
        (Status::Running, Some(ContainerState::Exited { code })) => Some((Status::Error, format!("the container exited with code {code}"))),
        (Status::Running, Some(ContainerState::Created)) => Some((Status::Error, "the container was replaced".to_owned())),
        (Status::Running | Status::Stopped, None) => Some((Status::Error, "the container was removed".to_owned())),
        (Status::Stopped | Status::Error, Some(ContainerState::Running)) => Some((Status::Running, "the container is running".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATIONS: [Operation; 5] = [Operation::Create, Operation::Start, Operation::Stop, Operation::Restart, Operation::Delete];

    #[test]
    fn every_operation_is_legal_or_refused_with_a_reason() {
        use Illegal::{Absent, Busy, NotRunning, Running};
        use Status::{Creating, Deleting, Starting, Stopping};
        // Columns in the order of `OPERATIONS`.
        let table = [
            (None, [Ok(Creating), Err(Absent), Err(Absent), Err(Absent), Err(Absent)]),
            (Some(Creating), [Err(Busy), Ok(Starting), Err(NotRunning), Err(NotRunning), Ok(Deleting)]),
            (Some(Starting), [Err(Busy), Err(Running), Ok(Stopping), Ok(Starting), Ok(Deleting)]),
            (Some(Status::Running), [Err(Busy), Err(Running), Ok(Stopping), Ok(Starting), Ok(Deleting)]),
            (Some(Stopping), [Err(Busy), Ok(Starting), Err(NotRunning), Err(NotRunning), Ok(Deleting)]),
            (Some(Status::Stopped), [Err(Busy), Ok(Starting), Err(NotRunning), Err(NotRunning), Ok(Deleting)]),
            (Some(Status::Error), [Err(Busy), Ok(Starting), Err(NotRunning), Err(NotRunning), Ok(Deleting)]),
            (Some(Deleting), [Err(Busy), Err(Busy), Err(Busy), Err(Busy), Ok(Deleting)]),
        ];
        assert_eq!(table.len(), Status::MEMBERS.len() + 1);
        for (from, expected) in table {
            for (operation, expected) in OPERATIONS.into_iter().zip(expected) {
                assert_eq!(operation.begin(from), expected, "{operation:?} from {from:?}");
            }
        }
    }

    #[test]
    fn an_operation_in_progress_allows_the_same_operations_as_its_result() {
        for (in_progress, done) in
            [(Status::Creating, Status::Stopped), (Status::Starting, Status::Running), (Status::Stopping, Status::Stopped)]
        {
            for operation in OPERATIONS {
                assert_eq!(operation.begin(Some(in_progress)), operation.begin(Some(done)), "{operation:?} during {in_progress:?}");
            }
        }
    }

    #[test]
    fn a_job_does_the_requested_operation_with_two_exceptions() {
        for from in Status::MEMBERS {
            for operation in OPERATIONS {
                let expected = match (operation, from) {
                    (Operation::Delete, Status::Deleting) => None,
                    (Operation::Start, Status::Stopping) => Some(Operation::Restart),
                    _ => Some(operation),
                };
                assert_eq!(operation.job(*from), expected, "{operation:?} from {from:?}");
            }
        }
    }

    #[test]
    fn operations_end_in_a_stable_status() {
        for operation in OPERATIONS {
            let done = operation.done();
            assert!(done.is_none_or(|status| matches!(status, Status::Running | Status::Stopped)), "{operation:?}");
        }
    }

    #[test]
    fn a_corrected_status_needs_no_second_correction() {
        let containers = [None, Some(ContainerState::Created), Some(ContainerState::Running), Some(ContainerState::Exited { code: 137 })];
        for status in Status::MEMBERS {
            for container in containers {
                if let Some((next, reason)) = observed(*status, container) {
                    assert_ne!(next, *status, "{container:?}");
                    assert!(!reason.is_empty());
                    assert_eq!(observed(next, container), None, "{next:?}, corrected from {status:?}, agrees with {container:?}");
                }
            }
        }
    }
}
