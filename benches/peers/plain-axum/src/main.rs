//! The six routes that `cargo xtask peers` compares, as axum's tutorials write them: one file, a cloned state, an extractor for the
//! session, `axum-prometheus` and `TraceLayer`, sqlx with its runtime queries, redis with its connection manager.
//!
//! The program uses Vitrine's tables and gives equivalent responses; `cargo xtask peers` checks the responses before it measures. The
//! program has none of Vitrine's deadlines, limits, invalidations or metrics of stores: a developer would write it in an afternoon.

use std::time::Instant;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use axum_prometheus::PrometheusMetricLayer;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::AsyncCommands;
use redis::aio::ConnectionManager;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use time::OffsetDateTime;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use uuid::Uuid;

const SESSION_SECONDS: u64 = 60;
const PROJECT_SECONDS: u64 = 30;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Clone)]
struct AppState {
    db: PgPool,
    redis: ConnectionManager,
    started: Instant,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    tracing_subscriber::fmt().with_env_filter(filter).init();
    let db = PgPoolOptions::new().max_connections(10).connect(&std::env::var("DATABASE_URL")?).await?;
    let redis = redis::Client::open(std::env::var("REDIS_URL")?)?.get_connection_manager().await?;
    let (metrics, exporter) = PrometheusMetricLayer::pair();
    let app = Router::new()
        .route("/health", get(health))
        .route("/api/auth/me", get(me))
        .route("/api/projects", get(list).post(create))
        .route("/api/projects/{id}", get(read))
        .route("/metrics", get(async move || exporter.render()))
        .fallback(async |uri: Uri| Problem::new(StatusCode::NOT_FOUND, "not_found").at(uri.path()))
        .layer(metrics)
        .layer(TraceLayer::new_for_http())
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .with_state(AppState { db, redis, started: Instant::now() });
    let listener = tokio::net::TcpListener::bind(std::env::var("LISTEN_ADDRESS")?).await?;
    axum::serve(listener, app).with_graceful_shutdown(terminated()).await?;
    Ok(())
}

async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    if let Ok(mut signal) = signal(SignalKind::terminate()) {
        signal.recv().await;
    }
}

// Errors

struct Problem {
    status: StatusCode,
    code: &'static str,
    path: String,
    errors: Vec<FieldError>,
}

#[derive(Serialize)]
struct FieldError {
    field: String,
    code: &'static str,
    message: String,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, path: String::new(), errors: Vec::new() }
    }

    fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    fn field(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        let errors = vec![FieldError { field: field.to_owned(), code, message: message.into() }];
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed") }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        tracing::error!(error = %error.into(), "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("about:blank#{}", self.code), "title": self.status.canonical_reason(), "status": self.status.as_u16(),
            "code": self.code, "instance": self.path, "trace_id": Uuid::new_v4().simple().to_string(),
        });
        if !self.errors.is_empty() {
            body["errors"] = json!(self.errors);
        }
        (self.status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
    }
}

// Health and accounts

async fn health(State(state): State<AppState>) -> impl IntoResponse {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "uptime": state.started.elapsed().as_secs() }))
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
struct User {
    id: Uuid,
    email: String,
    email_confirmed: bool,
    display_name: String,
    role: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl FromRequestParts<AppState> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated"))?;
        let hash = Sha256::digest(token).to_vec();
        let key = format!("session:{}", URL_SAFE_NO_PAD.encode(&hash));
        if let Some(user) = cached(state, &key).await {
            return Ok(user);
        }
        let found: Option<Self> = sqlx::query_as(
            "UPDATE auth_sessions s SET last_seen_at = now() FROM users u
             WHERE s.token_hash = $1 AND s.expires_at > now() AND s.last_seen_at > now() - interval '7 days' AND u.id = s.user_id
             RETURNING u.id, u.email::text, u.confirmed_at IS NOT NULL AS email_confirmed, u.display_name, u.role, u.created_at",
        )
        .bind(hash)
        .fetch_optional(&state.db)
        .await?;
        let user = found.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "invalid_token"))?;
        remember(state, &key, &user, SESSION_SECONDS).await;
        Ok(user)
    }
}

async fn me(user: User) -> Json<User> {
    Json(user)
}

// The cache: while Redis is unavailable, handlers read from the database

async fn cached<T: for<'de> Deserialize<'de>>(state: &AppState, key: &str) -> Option<T> {
    let text: Option<String> = state.redis.clone().get(key).await.ok()?;
    serde_json::from_str(&text?).ok()
}

async fn remember<T: Serialize>(state: &AppState, key: &str, value: &T, seconds: u64) {
    if let Ok(text) = serde_json::to_string(value) {
        let seconds = rand::random_range(seconds - seconds / 10..=seconds);
        let _unavailable: Result<(), _> = state.redis.clone().set_ex(key, text, seconds).await;
    }
}

// Projects

#[derive(Serialize, Deserialize, sqlx::FromRow)]
struct Project {
    id: Uuid,
    name: String,
    slug: String,
    description: String,
    visibility: String,
    owner_id: Uuid,
    role: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    published_at: Option<OffsetDateTime>,
    #[serde(skip)]
    version: i64,
}

/// The cached form of a project, with its members, so that one entry serves all of them.
#[derive(Serialize, Deserialize)]
struct Roster {
    project: Project,
    version: i64,
    members: Vec<(Uuid, String)>,
}

async fn roster(state: &AppState, id: Uuid) -> Result<Option<Roster>, Problem> {
    let key = format!("project:{id}");
    if let Some(roster) = cached(state, &key).await {
        return Ok(Some(roster));
    }
    let project: Option<Project> =
        sqlx::query_as("SELECT *, NULL AS role FROM projects WHERE id = $1").bind(id).fetch_optional(&state.db).await?;
    let Some(project) = project else { return Ok(None) };
    let members = sqlx::query_as("SELECT user_id, role FROM project_members WHERE project_id = $1").bind(id).fetch_all(&state.db).await?;
    let roster = Roster { version: project.version, project, members };
    remember(state, &key, &roster, PROJECT_SECONDS).await;
    Ok(Some(roster))
}

async fn read(State(state): State<AppState>, user: User, Path(id): Path<String>) -> Result<impl IntoResponse, Problem> {
    let hidden = || Problem::new(StatusCode::NOT_FOUND, "not_found").at(&id);
    let id: Uuid = id.parse().map_err(|_| hidden())?;
    let Roster { mut project, version, members } = roster(&state, id).await?.ok_or_else(hidden)?;
    project.role = members.into_iter().find(|(member, _)| *member == user.id).map(|(_, role)| role);
    if project.role.is_none() && project.visibility != "public" && user.role != "admin" {
        return Err(hidden());
    }
    Ok(([(ETAG, format!("\"{version}\""))], Json(project)))
}

#[derive(Deserialize)]
struct Page {
    limit: Option<u8>,
    cursor: Option<String>,
}

async fn list(State(state): State<AppState>, user: User, page: Result<Query<Page>, QueryRejection>) -> Result<impl IntoResponse, Problem> {
    let bad = |code| Problem::new(StatusCode::BAD_REQUEST, code).at("/api/projects");
    let Ok(Query(Page { limit, cursor })) = page else { return Err(bad("invalid_query")) };
    let limit = limit.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        return Err(bad("invalid_query"));
    }
    let before = match cursor {
        None => Uuid::max(),
        Some(cursor) => {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad("invalid_cursor"))?;
            Uuid::from_slice(&bytes).map_err(|_| bad("invalid_cursor"))?
        }
    };
    let mut items: Vec<Project> = sqlx::query_as(
        "SELECT p.*, m.role FROM project_members m JOIN projects p ON p.id = m.project_id
         WHERE m.user_id = $1 AND m.project_id < $2 ORDER BY m.project_id DESC LIMIT $3",
    )
    .bind(user.id)
    .bind(before)
    .bind(i64::from(limit) + 1)
    .fetch_all(&state.db)
    .await?;
    let more = items.len() > usize::from(limit);
    items.truncate(limit.into());
    let next_cursor = items.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(last.id));
    Ok(Json(json!({ "items": items, "next_cursor": next_cursor })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProject {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    visibility: Visibility,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Visibility {
    #[default]
    Private,
    Public,
}

impl NewProject {
    fn check(&self) -> Result<(), Problem> {
        let is_unfit = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if !(1..=80).contains(&self.name.trim().chars().count()) || self.name.contains(char::is_control) {
            return Err(Problem::field("name", "invalid", "must be one line of 1 to 80 characters, without control characters"));
        }
        if self.description.chars().count() > 2000 || self.description.contains(is_unfit) {
            return Err(Problem::field(
                "description",
                "invalid",
                "must be at most 2000 characters, without control characters except tabs and line breaks",
            ));
        }
        Ok(())
    }
}

async fn create(State(state): State<AppState>, user: User, body: Result<Json<NewProject>, JsonRejection>) -> Result<Response, Problem> {
    let Json(new) = body.map_err(|rejection| match rejection {
        JsonRejection::JsonDataError(error) => Problem::field(".", "invalid", error.body_text()),
        JsonRejection::MissingJsonContentType(_) => Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
        other => Problem::new(other.status(), "malformed_json"),
    })?;
    new.check()?;
    let visibility = match new.visibility {
        Visibility::Private => "private",
        Visibility::Public => "public",
    };
    let slug = slug(&new.name);
    let mut tx = state.db.begin().await?;
    for attempt in 0..5 {
        let slug = if attempt == 0 { slug.clone() } else { format!("{slug}-{:08x}", rand::random::<u32>()) };
        let project: Option<Project> = sqlx::query_as(
            "INSERT INTO projects (id, owner_id, name, slug, description, visibility) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT ON CONSTRAINT projects_slug_key DO NOTHING RETURNING *, 'owner' AS role",
        )
        .bind(Uuid::now_v7())
        .bind(user.id)
        .bind(new.name.trim())
        .bind(slug)
        .bind(&new.description)
        .bind(visibility)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(project) = project else { continue };
        sqlx::query("INSERT INTO project_members (project_id, user_id, role) VALUES ($1, $2, 'owner')")
            .bind(project.id)
            .bind(user.id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        let headers = [(LOCATION, format!("/api/projects/{}", project.id)), (ETAG, format!("\"{}\"", project.version))];
        return Ok((StatusCode::CREATED, headers, Json(project)).into_response());
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded"))
}

/// The words of a name as part of a URL, at most 51 characters so that a suffix fits.
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let slug: String = words.join("-").chars().take(51).collect();
    if slug.len() < 3 { format!("{slug}project") } else { slug.trim_end_matches('-').to_owned() }
}
