//! The types of projects, who may do what, and what text may become one of them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::FieldError;
use crate::http::fields::{Fields, Line, Paragraph};

/// The name of a project.
pub type Name = Line<1, 80>;
/// What members say of their project.
pub type Description = Paragraph<0, 2000>;
/// As long as an account's address may be.
pub type MemberEmail = Line<1, 254>;
/// Members of one project, the owner included.
pub const MAX_MEMBERS: usize = 100;

/// What a member may do in a project, from the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ProjectRole)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and changes.
    Editor,
    /// Reads, changes, manages members, publishes and deletes.
    Owner,
}

impl Role {
    /// The role that the database holds.
    pub fn parse(text: &str) -> Self {
        match text {
            "owner" => Self::Owner,
            "editor" => Self::Editor,
            _ => Self::Viewer,
        }
    }

    /// The role as the database holds it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }
}

/// Who may read a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Its members.
    #[default]
    Private,
    /// Every account.
    Public,
}

impl Visibility {
    /// The visibility that the database holds.
    pub fn parse(text: &str) -> Self {
        if text == "public" { Self::Public } else { Self::Private }
    }

    /// The visibility as the database holds it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// A project.
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
    /// Whether it is in the showcase.
    pub fn is_published(&self) -> bool {
        self.published_at.is_some() && self.visibility == Visibility::Public
    }
}

/// A project as one account sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    pub project: Project,
    /// None for an account that is not a member.
    pub role: Option<Role>,
}

/// A project and who is in it: what is cached, so that one removal serves every member.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Roster {
    pub project: Project,
    pub members: Vec<(Uuid, Role)>,
}

impl Roster {
    /// The project as an account sees it.
    pub fn seen_by(self, user: Uuid) -> Seen {
        let role = self.members.iter().find(|(member, _)| *member == user).map(|(_, role)| *role);
        Seen { project: self.project, role }
    }
}

/// Somebody in a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    pub user_id: Uuid,
    pub display_name: String,
    pub role: Role,
    #[serde(with = "time::serde::rfc3339")]
    pub added_at: OffsetDateTime,
}

/// The address of an account that shall become a member, if it can be one.
pub fn member_email(text: &str) -> Result<String, Vec<FieldError>> {
    let mut fields = Fields::default();
    let email = MemberEmail::read(&mut fields, "email", text);
    fields.finish(email)
}

/// What may be wanted of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See the project.
    Read,
    /// See what is in it: members, environments.
    Enter,
    /// Change it, and what is in it.
    Change,
    /// Decide about members, the showcase and its end.
    Manage,
}

/// Why an action is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The account must not learn that the project exists.
    Hidden,
    /// The account sees the project and may not do this.
    Forbidden,
}

impl Seen {
    /// Whether the account that sees the project may do this with it.
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

/// A project to be.
#[derive(Debug, Serialize)]
pub struct NewProject {
    pub name: String,
    pub description: String,
    pub visibility: Visibility,
}

impl NewProject {
    /// Checks what was sent.
    pub fn parse(name: &str, description: Option<&str>, visibility: Option<Visibility>) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let name = Name::read(&mut fields, "name", name);
        let description = Description::read(&mut fields, "description", description.unwrap_or_default());
        fields.finish(Self { name, description, visibility: visibility.unwrap_or_default() })
    }
}

/// What of a project shall become different.
#[derive(Debug)]
pub struct ProjectChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub visibility: Option<Visibility>,
}

impl ProjectChange {
    /// Checks what was sent.
    pub fn parse(name: Option<&str>, description: Option<&str>, visibility: Option<Visibility>) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let name = name.map(|name| Name::read(&mut fields, "name", name));
        let description = description.map(|text| Description::read(&mut fields, "description", text));
        fields.finish(Self { name, description, visibility })
    }

    /// Whether nothing shall become different.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self { name: None, description: None, visibility: None })
    }
}
