//! The SQL of `projects` and `project_members`. A query that finds no row returns `Ok(None)`; the service decides what that
//! means. Changes expect a row that the transaction has locked.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Member, NewProject, Project, ProjectAccess, ProjectChange, Role, Roster, Visibility};
use super::slug::Slug;
use crate::db::{Conn, StoreError, known};
use crate::domain::paging::PageRequest;
use crate::metrics::labels::Query;

struct ProjectRow {
    id: Uuid,
    owner_id: Uuid,
    name: String,
    slug: String,
    description: String,
    visibility: String,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    published_at: Option<OffsetDateTime>,
}

impl TryFrom<ProjectRow> for Project {
    type Error = StoreError;

    fn try_from(row: ProjectRow) -> Result<Self, StoreError> {
        let ProjectRow { id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at } = row;
        let visibility = known("visibility", &visibility, Visibility::parse)?;
        Ok(Self { id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at })
    }
}

struct MemberRow {
    user_id: Uuid,
    display_name: String,
    role: String,
    added_at: OffsetDateTime,
}

impl TryFrom<MemberRow> for Member {
    type Error = StoreError;

    fn try_from(MemberRow { user_id, display_name, role, added_at }: MemberRow) -> Result<Self, StoreError> {
        Ok(Self { user_id, display_name, role: known("role", &role, Role::parse)?, added_at })
    }
}

/// Inserts a project with its owner as first member. Returns `None` when the slug is taken.
pub async fn insert(conn: &mut Conn, owner: Uuid, new: &NewProject, slug: &Slug) -> Result<Option<Project>, StoreError> {
    let insert = sqlx::query_as!(
        ProjectRow,
        "WITH made AS (
             INSERT INTO projects (id, owner_id, name, slug, description, visibility) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT ON CONSTRAINT projects_slug_key DO NOTHING
             RETURNING id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at
         ), owner AS (
             INSERT INTO project_members (project_id, user_id, role) SELECT id, owner_id, 'owner' FROM made
         )
         SELECT id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at FROM made",
        Uuid::now_v7(),
        owner,
        new.name,
        slug.as_str(),
        new.description,
        new.visibility.as_str()
    );
    conn.optional(Query::InsertProjects, insert).await?.map(TryInto::try_into).transpose()
}

pub async fn project(conn: &mut Conn, id: Uuid) -> Result<Option<Project>, StoreError> {
    let select = sqlx::query_as!(
        ProjectRow,
        "SELECT id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at
         FROM projects WHERE id = $1",
        id
    );
    conn.optional(Query::SelectProjects, select).await?.map(TryInto::try_into).transpose()
}

/// Locks a project against other changes until the transaction ends.
pub async fn lock(conn: &mut Conn, id: Uuid) -> Result<Option<Project>, StoreError> {
    let select = sqlx::query_as!(
        ProjectRow,
        "SELECT id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at
         FROM projects WHERE id = $1 FOR UPDATE",
        id
    );
    conn.optional(Query::SelectProjects, select).await?.map(TryInto::try_into).transpose()
}

/// Locks every project of which a user is a member, in the order of their identifiers.
pub async fn lock_of_member(conn: &mut Conn, user: Uuid) -> Result<Vec<Project>, StoreError> {
    let select = sqlx::query_as!(
        ProjectRow,
        "SELECT id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at
         FROM projects WHERE id IN (SELECT project_id FROM project_members WHERE user_id = $1) ORDER BY id FOR UPDATE",
        user
    );
    conn.all(Query::SelectProjects, select).await?.into_iter().map(TryInto::try_into).collect()
}

/// Takes a shared lock on a project until the transaction ends: blocks changes, but not other shared locks.
pub async fn share(conn: &mut Conn, id: Uuid) -> Result<Option<Project>, StoreError> {
    let select = sqlx::query_as!(
        ProjectRow,
        "SELECT id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at
         FROM projects WHERE id = $1 FOR SHARE",
        id
    );
    conn.optional(Query::SelectProjects, select).await?.map(TryInto::try_into).transpose()
}

pub async fn roster(conn: &mut Conn, id: Uuid) -> Result<Option<Roster>, StoreError> {
    let Some(project) = project(conn, id).await? else { return Ok(None) };
    let select = sqlx::query!("SELECT user_id, role FROM project_members WHERE project_id = $1", id);
    let rows = conn.all(Query::SelectProjectMembers, select).await?;
    let members = rows.into_iter().map(|row| Ok((row.user_id, known("role", &row.role, Role::parse)?)));
    Ok(Some(Roster { project, members: members.collect::<Result<_, StoreError>>()? }))
}

/// Returns every pair `(users[i], projects[i])` in which the project does not exist, or the user may not enter it.
pub async fn outsiders_among(conn: &mut Conn, users: &[Uuid], projects: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
    let select = sqlx::query!(
        r#"SELECT s.user_id AS "user_id!", s.project_id AS "project_id!"
           FROM unnest($1::uuid[], $2::uuid[]) AS s (user_id, project_id)
           WHERE NOT EXISTS (SELECT FROM project_members m WHERE m.project_id = s.project_id AND m.user_id = s.user_id)
             AND NOT EXISTS (SELECT FROM projects p JOIN users u ON u.id = s.user_id WHERE p.id = s.project_id AND u.role = 'admin')"#,
        users,
        projects
    );
    let rows = conn.all(Query::SelectProjectMembers, select).await?;
    Ok(rows.into_iter().map(|row| (row.user_id, row.project_id)).collect())
}

/// One page of the projects of which a user is a member. The query states the page's bound for both tables: otherwise a merge join reads
/// every project that is newer than the page. The fixed limit is [`MAX_LIMIT`](crate::domain::paging::MAX_LIMIT) plus one, for the reason
/// given there.
pub async fn of_member(conn: &mut Conn, user: Uuid, page: PageRequest) -> Result<Vec<ProjectAccess>, StoreError> {
    let select = sqlx::query!(
        "SELECT * FROM (
             SELECT p.id, p.owner_id, p.name, p.slug, p.description, p.visibility, p.version, p.created_at, p.updated_at, p.published_at,
                    m.role
             FROM project_members m JOIN projects p ON p.id = m.project_id
             WHERE m.user_id = $1 AND m.project_id < $2 AND p.id < $2
             ORDER BY p.id DESC LIMIT 101
         ) longest ORDER BY id DESC LIMIT $3",
        user,
        page.before,
        page.limit
    );
    let rows = conn.all(Query::SelectProjects, select).await?;
    let projects = rows.into_iter().map(|row| {
        let role = known("role", &row.role, Role::parse)?;
        let project = ProjectRow {
            id: row.id,
            owner_id: row.owner_id,
            name: row.name,
            slug: row.slug,
            description: row.description,
            visibility: row.visibility,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            published_at: row.published_at,
        };
        Ok(ProjectAccess { project: project.try_into()?, role: Some(role) })
    });
    projects.collect()
}

pub async fn update(conn: &mut Conn, id: Uuid, change: &ProjectChange) -> Result<Project, StoreError> {
    let update = sqlx::query_as!(
        ProjectRow,
        "UPDATE projects SET name = coalesce($2, name), description = coalesce($3, description), visibility = coalesce($4, visibility),
                published_at = CASE WHEN 'private' IN (visibility, $4) THEN NULL ELSE published_at END, version = version + 1, updated_at = now()
         WHERE id = $1
         RETURNING id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at",
        id,
        change.name,
        change.description,
        change.visibility.map(Visibility::as_str)
    );
    conn.one(Query::UpdateProjects, update).await?.try_into()
}

/// Fails with the conflict `projects_slug_key` when another project has the slug.
pub async fn publish(conn: &mut Conn, id: Uuid, slug: &Slug) -> Result<Project, StoreError> {
    let update = sqlx::query_as!(
        ProjectRow,
        "UPDATE projects SET slug = $2, visibility = 'public', published_at = now(), version = version + 1, updated_at = now()
         WHERE id = $1
         RETURNING id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at",
        id,
        slug.as_str()
    );
    conn.one(Query::UpdateProjects, update).await?.try_into()
}

pub async fn unpublish(conn: &mut Conn, id: Uuid) -> Result<Project, StoreError> {
    let update = sqlx::query_as!(
        ProjectRow,
        "UPDATE projects SET published_at = NULL, version = version + 1, updated_at = now()
         WHERE id = $1
         RETURNING id, owner_id, name, slug, description, visibility, version, created_at, updated_at, published_at",
        id
    );
    conn.one(Query::UpdateProjects, update).await?.try_into()
}

pub async fn delete(conn: &mut Conn, id: Uuid) -> Result<(), StoreError> {
    conn.execute(Query::DeleteProjects, sqlx::query!("DELETE FROM projects WHERE id = $1", id)).await.map(drop)
}

pub async fn role(conn: &mut Conn, project: Uuid, user: Uuid) -> Result<Option<Role>, StoreError> {
    let select = sqlx::query!("SELECT role FROM project_members WHERE project_id = $1 AND user_id = $2", project, user);
    let row = conn.optional(Query::SelectProjectMembers, select).await?;
    row.map(|row| known("role", &row.role, Role::parse)).transpose()
}

/// One page of the members of a project, newest account first. The fixed limit is [`MAX_LIMIT`](crate::domain::paging::MAX_LIMIT) plus
/// one, for the reason given there.
pub async fn members(conn: &mut Conn, project: Uuid, page: PageRequest) -> Result<Vec<Member>, StoreError> {
    let select = sqlx::query_as!(
        MemberRow,
        "SELECT * FROM (
             SELECT m.user_id, u.display_name, m.role, m.added_at
             FROM project_members m JOIN users u ON u.id = m.user_id
             WHERE m.project_id = $1 AND m.user_id < $2
             ORDER BY m.user_id DESC LIMIT 101
         ) longest ORDER BY user_id DESC LIMIT $3",
        project,
        page.before,
        page.limit
    );
    conn.all(Query::SelectProjectMembers, select).await?.into_iter().map(TryInto::try_into).collect()
}

pub async fn count_members(conn: &mut Conn, project: Uuid) -> Result<i64, StoreError> {
    let count = sqlx::query!(r#"SELECT count(*) AS "count!" FROM project_members WHERE project_id = $1"#, project);
    Ok(conn.one(Query::SelectProjectMembers, count).await?.count)
}

/// Adds a member, or changes a member's role. Returns the time when the account became a member.
pub async fn put_member(conn: &mut Conn, project: Uuid, user: Uuid, role: Role) -> Result<OffsetDateTime, StoreError> {
    let insert = sqlx::query!(
        "INSERT INTO project_members (project_id, user_id, role) VALUES ($1, $2, $3)
         ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role
         RETURNING added_at",
        project,
        user,
        role.as_str()
    );
    Ok(conn.one(Query::InsertProjectMembers, insert).await?.added_at)
}

pub async fn delete_member(conn: &mut Conn, project: Uuid, user: Uuid) -> Result<(), StoreError> {
    let delete = sqlx::query!("DELETE FROM project_members WHERE project_id = $1 AND user_id = $2", project, user);
    conn.execute(Query::DeleteProjectMembers, delete).await.map(drop)
}
