//! Demo data, so that the pages of a new installation have something to show: `content` lists the people and projects, and this module adds
//! them. `vitrine seed` calls it.
//!
//! - Everything is added through the services of the features, so the rules for clients apply here too.
//! - Only missing data is added. A second run changes nothing, and a run after an interrupted one adds the rest.
//! - Nobody can sign in to an account of the demo data: it has neither a password nor a linked platform.
//! - There are no posts, because the author of a post must have signed in to its platform.
//! - Environments are added only if they are simulated. An engine would download their images, which takes gigabytes.

mod content;

use uuid::Uuid;

use self::content::{PROJECTS, Person, Project, Workspace};
use crate::config::Environment;
use crate::domain::DriverName;
use crate::domain::paging::{MAX_LIMIT, PageRequest};
use crate::domain::validation::FieldError;
use crate::features::accounts::{AccountError, User, Vouched};
use crate::features::environments::{EnvironmentError, NewEnvironment, Operation};
use crate::features::projects::{self, NewProject, ProjectError};
use crate::state::AppState;

/// Why the demo data cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// Visitors of a production service must see only real projects.
    #[error("demo data is refused in production: ENVIRONMENT must be development")]
    Production,
    /// A text in `content` is not valid.
    #[error("the demo data is invalid: {0:?}")]
    Invalid(Vec<FieldError>),
    /// An account cannot be added.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A project or a member cannot be added, or a project cannot be published.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// An environment cannot be added or started.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

/// How much a run has added.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Accounts.
    pub accounts: usize,
    /// New projects. A project that already existed and that the run only published does not count.
    pub projects: usize,
    /// Members of projects, without owners.
    pub members: usize,
    /// Environments.
    pub environments: usize,
}

/// Adds the missing demo data, and logs how many entries of each kind it has added.
///
/// # Errors
/// In production, and when a service refuses an entry or a store fails.
pub async fn seed(state: &AppState) -> Result<Added, SeedError> {
    if state.config.environment == Environment::Production {
        return Err(SeedError::Production);
    }
    let mut seeding = Seeding { state, added: Added::default() };
    for project in PROJECTS {
        seeding.project(project).await?;
    }
    let Added { accounts, projects, members, environments } = seeding.added;
    if seeding.added == Added::default() {
        tracing::info!("demo data is complete, nothing changed");
    } else {
        tracing::info!(accounts, projects, members, environments, "demo data added");
    }
    Ok(seeding.added)
}

/// A run in progress.
struct Seeding<'a> {
    state: &'a AppState,
    added: Added,
}

impl Seeding<'_> {
    /// Publishes the project last, so that visitors see it only when it is complete.
    async fn project(&mut self, wanted: &Project) -> Result<(), SeedError> {
        let owner = self.account(wanted.owner).await?;
        let known = self.state.projects.list(&owner, all()).await?;
        let project = if let Some(known) = known.into_iter().find(|known| known.project.name == wanted.name) {
            known.project
        } else {
            self.added.projects += 1;
            let new = NewProject::parse(wanted.name, Some(wanted.description), None).map_err(SeedError::Invalid)?;
            self.state.projects.create(&owner, new, None).await?
        };
        self.members(&owner, project.id, wanted.members).await?;
        if self.state.config.environment_driver == DriverName::Sim {
            self.environments(&owner, project.id, wanted.workspaces).await?;
        }
        if !project.is_published() {
            self.state.projects.publish(&owner, project.id, None).await?;
        }
        Ok(())
    }

    async fn account(&mut self, person: &Person) -> Result<User, SeedError> {
        let vouched = Vouched::new(person.email, person.name).ok_or_else(|| SeedError::Invalid(Vec::new()))?;
        let (user, is_new) = self.state.accounts.find_or_register(&vouched).await?;
        self.added.accounts += usize::from(is_new);
        Ok(user)
    }

    async fn members(&mut self, owner: &User, project: Uuid, wanted: &[(&Person, projects::Role)]) -> Result<(), SeedError> {
        let known = self.state.projects.members(owner, project, all()).await?;
        for (person, role) in wanted {
            let user = self.account(person).await?;
            if known.iter().all(|member| member.user_id != user.id) {
                self.added.members += 1;
                self.state.projects.add_member(owner, project, person.email, *role, None).await?;
            }
        }
        Ok(())
    }

    async fn environments(&mut self, owner: &User, project: Uuid, wanted: &[Workspace]) -> Result<(), SeedError> {
        let environments = &self.state.environments;
        let known = environments.list(owner, project, all()).await?;
        for workspace in wanted.iter().filter(|wanted| known.iter().all(|known| known.name != wanted.name)) {
            self.added.environments += 1;
            let new = NewEnvironment::parse(workspace.name, workspace.image).map_err(SeedError::Invalid)?;
            let environment = environments.create(owner, project, new, None).await?;
            if workspace.is_running {
                environments.begin(owner, environment.id, Operation::Start).await?;
            }
        }
        Ok(())
    }
}

/// The longest page of a list. The lists of demo data are shorter.
fn all() -> PageRequest {
    PageRequest { before: Uuid::max(), limit: i64::from(MAX_LIMIT) }
}
