//! The types of projects, the rules of access, and the validation of requests.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::validation::FieldError;
use crate::domain::validation::{Fields, Line, Paragraph};

pub type Name = Line<1, 80>;
/// Free text for readers of the project.
pub type Description = Paragraph<0, 2000>;
/// E-mail address of the account to add as a member. The maximum length is the same as at sign-up.
pub type MemberEmail = Line<1, 254>;
/// Maximum number of members, including the owner.
pub const MAX_MEMBERS: usize = 100;

/// Role of a member in a project. The roles are listed in ascending order of rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ProjectRole)]
pub enum Role {
    /// May read.
    Viewer,
    /// May read and change.
    Editor,
    /// May read, change, manage members, publish and delete.
    Owner,
}

impl Role {
    /// Parses the database's value; `None` if this version does not know it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "owner" => Some(Self::Owner),
            "editor" => Some(Self::Editor),
            "viewer" => Some(Self::Viewer),
            _ => None,
        }
    }

    /// The database's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }
}

/// Visibility of a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Only members and admins may read the project.
    #[default]
    Private,
    /// Every account may read the project.
    Public,
}

impl Visibility {
    /// Parses the database's value; `None` if this version does not know it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "private" => Some(Self::Private),
            "public" => Some(Self::Public),
            _ => None,
        }
    }

    /// The database's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Project {
    pub id: Uuid,
    pub owner_id: Uuid,
    pub name: String,
    pub slug: String,
    pub description: String,
    pub visibility: Visibility,
    pub version: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub published_at: Option<OffsetDateTime>,
}

impl Project {
    /// Whether the project is in the showcase.
    pub fn is_published(&self) -> bool {
        self.published_at.is_some() && self.visibility == Visibility::Public
    }
}

/// A project from the point of view of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProjectAccess {
    pub project: Project,
    /// `None` if the account is not a member.
    pub role: Option<Role>,
}

/// A project with its members. Cached as a whole, so that one invalidation covers all members.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Roster {
    pub project: Project,
    pub members: Vec<(Uuid, Role)>,
}

impl Roster {
    /// The project from the point of view of an account.
    pub fn access_of(self, user: Uuid) -> ProjectAccess {
        let role = self.members.iter().find(|(member, _)| *member == user).map(|(_, role)| *role);
        ProjectAccess { project: self.project, role }
    }
}

/// A member of a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    pub user_id: Uuid,
    pub display_name: String,
    pub role: Role,
    #[serde(with = "time::serde::rfc3339")]
    pub added_at: OffsetDateTime,
}

/// Validates the e-mail address in a request to add a member.
pub fn member_email(text: &str) -> Result<String, Vec<FieldError>> {
    let mut fields = Fields::default();
    let email = MemberEmail::read(&mut fields, "email", text);
    fields.finish(email)
}

/// A kind of operation on a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the project.
    Read,
    /// Read the project's contents, such as members and environments.
    Enter,
    /// Change the project or its contents.
    Change,
    /// Manage members, publication and deletion.
    Manage,
}

/// Why an action is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The account must not learn that the project exists.
    Hidden,
    /// The account may read the project but not perform the action.
    Forbidden,
}

impl ProjectAccess {
    /// Checks whether the account may perform the action.
    pub fn allows(&self, action: Action, is_admin: bool) -> Result<(), Refused> {
        let needed = match action {
            Action::Read | Action::Enter => Role::Viewer,
            Action::Change => Role::Editor,
            Action::Manage => Role::Owner,
        };
        let public = self.project.visibility == Visibility::Public;
        match self.role {
            _ if is_admin => Ok(()),
            Some(role) if role >= needed => Ok(()),
            None if public && action == Action::Read => Ok(()),
            None if !public => Err(Refused::Hidden),
            _ => Err(Refused::Forbidden),
        }
    }
}

/// A valid request to create a project.
#[derive(Debug, Serialize)]
pub struct NewProject {
    pub name: String,
    pub description: String,
    pub visibility: Visibility,
}

impl NewProject {
    /// Validates the request.
    pub fn parse(name: &str, description: Option<&str>, visibility: Option<Visibility>) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let name = Name::read(&mut fields, "name", name);
        let description = Description::read(&mut fields, "description", description.unwrap_or_default());
        fields.finish(Self { name, description, visibility: visibility.unwrap_or_default() })
    }
}

/// A valid change of a project; `None` leaves a field unchanged.
#[derive(Debug)]
pub struct ProjectChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub visibility: Option<Visibility>,
}

impl ProjectChange {
    /// Validates the request.
    pub fn parse(name: Option<&str>, description: Option<&str>, visibility: Option<Visibility>) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let name = name.map(|name| Name::read(&mut fields, "name", name));
        let description = description.map(|text| Description::read(&mut fields, "description", text));
        fields.finish(Self { name, description, visibility })
    }

    /// Whether the request sets no field.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self { name: None, description: None, visibility: None })
    }
}
