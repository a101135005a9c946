//! Authorisation: every actor requests every route in a table, for a private and for a public project. The table has the expected statuses.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Ask, FAULTS, Platforms, TestApp, User, eventually, when};

/// The actors, in the order of the columns below. Here, a stranger is signed in but not a member of the project.
const ACTORS: [&str; 6] = ["anonymous", "stranger", "viewer", "editor", "owner", "admin"];

/// One route: its method, path and body, then the expected status for each actor, first in a private project, then in a public one.
type Route = (Method, &'static str, Option<fn() -> Value>, [u16; 6], [u16; 6]);

/// Visible to members and admins.
const SEEN_INSIDE: [u16; 6] = [401, 404, 200, 200, 200, 200];
const SEEN_INSIDE_PUBLIC: [u16; 6] = [401, 403, 200, 200, 200, 200];
/// Allowed to editors, owners and admins, but refused with a conflict in the current state.
const REFUSED_INSIDE: [u16; 6] = [401, 404, 403, 409, 409, 409];
const REFUSED_INSIDE_PUBLIC: [u16; 6] = [401, 403, 403, 409, 409, 409];

/// Visible to admins only.
const FOR_ADMINS: [u16; 6] = [401, 403, 403, 403, 403, 200];

/// All requests of an actor use the same project, so a route that deletes an object comes after the routes that need the object.
const ROUTES: [Route; 39] = [
    (Method::GET, "/api/projects", None, [401, 200, 200, 200, 200, 200], [401, 200, 200, 200, 200, 200]),
    (Method::POST, "/api/projects", Some(|| json!({ "name": "Mine" })), [401, 201, 201, 201, 201, 201], [401, 201, 201, 201, 201, 201]),
    (Method::GET, "/api/projects/{id}", None, [401, 404, 200, 200, 200, 200], [401, 200, 200, 200, 200, 200]),
    (
        Method::PATCH,
        "/api/projects/{id}",
        Some(|| json!({ "name": "New" })),
        [401, 404, 403, 200, 200, 200],
        [401, 403, 403, 200, 200, 200],
    ),
    (Method::GET, "/api/projects/{id}/members", None, [401, 404, 200, 200, 200, 200], [401, 403, 200, 200, 200, 200]),
    (
        Method::POST,
        "/api/projects/{id}/members",
        Some(|| json!({ "email": "new@example.com", "role": "viewer" })),
        [401, 404, 403, 403, 201, 201],
        [401, 403, 403, 403, 201, 201],
    ),
    (Method::DELETE, "/api/projects/{id}/members/{member}", None, [401, 404, 403, 403, 204, 204], [401, 403, 403, 403, 204, 204]),
    (Method::GET, "/api/extensions", None, [401, 200, 200, 200, 200, 200], [401, 200, 200, 200, 200, 200]),
    (Method::GET, "/api/projects/{id}/environments", None, SEEN_INSIDE, SEEN_INSIDE_PUBLIC),
    (
        Method::POST,
        "/api/projects/{id}/environments",
        Some(|| json!({ "name": "new", "image": "busybox:1.37" })),
        [401, 404, 403, 201, 201, 201],
        [401, 403, 403, 201, 201, 201],
    ),
    (Method::GET, "/api/environments/{env}", None, SEEN_INSIDE, SEEN_INSIDE_PUBLIC),
    (Method::GET, "/api/environments/{env}/logs", None, SEEN_INSIDE, SEEN_INSIDE_PUBLIC),
    (Method::GET, "/api/environments/{env}/sessions", None, SEEN_INSIDE, SEEN_INSIDE_PUBLIC),
    (Method::GET, "/api/environments/{env}/extensions", None, SEEN_INSIDE, SEEN_INSIDE_PUBLIC),
    // Authorised actors get a conflict, because these operations are impossible for a stopped environment of another driver.
    (Method::POST, "/api/environments/{env}/start", None, REFUSED_INSIDE, REFUSED_INSIDE_PUBLIC),
    (Method::POST, "/api/environments/{env}/stop", None, REFUSED_INSIDE, REFUSED_INSIDE_PUBLIC),
    (Method::POST, "/api/environments/{env}/restart", None, REFUSED_INSIDE, REFUSED_INSIDE_PUBLIC),
    (Method::POST, "/api/environments/{env}/sessions", Some(|| json!({ "type": "shell" })), REFUSED_INSIDE, REFUSED_INSIDE_PUBLIC),
    // The session belongs to `People::member`, who is none of the actors.
    (Method::DELETE, "/api/sessions/{session}", None, [401, 404, 403, 403, 204, 204], [401, 403, 403, 403, 204, 204]),
    (Method::PUT, "/api/environments/{env}/extensions/shell-prompt", None, [401, 404, 403, 202, 202, 202], [401, 403, 403, 202, 202, 202]),
    (
        Method::DELETE,
        "/api/environments/{env}/extensions/shell-prompt",
        None,
        [401, 404, 403, 202, 202, 202],
        [401, 403, 403, 202, 202, 202],
    ),
    (Method::DELETE, "/api/environments/{env}", None, [401, 404, 403, 202, 202, 202], [401, 403, 403, 202, 202, 202]),
    (Method::GET, "/api/posts", None, [401, 200, 200, 200, 200, 200], [401, 200, 200, 200, 200, 200]),
    // Authorised actors get a conflict, because the project is not published.
    (
        Method::POST,
        "/api/posts",
        Some(|| json!({ "project_id": "{id}", "text": "Hello", "platforms": ["mastodon"] })),
        REFUSED_INSIDE,
        REFUSED_INSIDE_PUBLIC,
    ),
    // The post belongs to `People::member`. Even in a public project, a stranger must not learn that the post exists.
    (Method::GET, "/api/posts/{post}", None, SEEN_INSIDE, SEEN_INSIDE),
    // Insights of the actor's own Mastodon account. No actor has linked one, so every user gets a conflict.
    (Method::GET, "/api/insights/mastodon", None, [401, 409, 409, 409, 409, 409], [401, 409, 409, 409, 409, 409]),
    (Method::POST, "/api/projects/{id}/publish", Some(|| json!({})), [401, 404, 403, 403, 200, 200], [401, 403, 403, 403, 200, 200]),
    (Method::DELETE, "/api/projects/{id}/publish", None, [401, 404, 403, 403, 200, 200], [401, 403, 403, 403, 200, 200]),
    // Published projects are visible to everybody.
    (Method::GET, "/api/showcase", None, [200; 6], [200; 6]),
    (Method::GET, "/api/showcase/shown", None, [200; 6], [200; 6]),
    // Access to faults does not depend on roles in projects.
    (Method::GET, "/api/faults", None, FOR_ADMINS, FOR_ADMINS),
    (
        Method::PUT,
        "/api/faults/{fault}",
        Some(|| json!({ "fault": "panic", "route": "/version", "expires_in": 60 })),
        [401, 403, 403, 403, 403, 201],
        [401, 403, 403, 403, 403, 201],
    ),
    (Method::GET, "/api/faults/{fault}", None, FOR_ADMINS, FOR_ADMINS),
    (Method::DELETE, "/api/faults/{fault}", None, [401, 403, 403, 403, 403, 204], [401, 403, 403, 403, 403, 204]),
    (Method::DELETE, "/api/faults", None, [401, 403, 403, 403, 403, 204], [401, 403, 403, 403, 403, 204]),
    (Method::GET, "/api/log-levels", None, FOR_ADMINS, FOR_ADMINS),
    (Method::PUT, "/api/log-levels", Some(|| json!({ "levels": "error", "expires_in": 60 })), FOR_ADMINS, FOR_ADMINS),
    (Method::DELETE, "/api/log-levels", None, [401, 403, 403, 403, 403, 204], [401, 403, 403, 403, 403, 204]),
    (Method::DELETE, "/api/projects/{id}", None, [401, 404, 403, 403, 204, 204], [401, 403, 403, 403, 204, 204]),
];

struct People {
    by_role: Vec<Option<User>>,
    member: User,
}

impl People {
    async fn of(app: &TestApp) -> Self {
        let mut by_role = vec![None];
        for name in &ACTORS[1..] {
            by_role.push(Some(app.user(name).await));
        }
        app.user("new").await;
        app.stores.execute("UPDATE users SET role = 'admin' WHERE email = 'admin@example.com'").await;
        Self { by_role, member: app.user("member").await }
    }

    fn named(&self, name: &str) -> &User {
        let position = ACTORS.iter().position(|actor| *actor == name).unwrap();
        self.by_role[position].as_ref().unwrap()
    }
}

async fn project(app: &TestApp, people: &People, visibility: &str) -> String {
    let owner = people.named("owner");
    let project = app.project(owner, "One", visibility).await;
    let id = project["id"].as_str().unwrap();
    for (member, role) in [(people.named("viewer"), "viewer"), (people.named("editor"), "editor"), (&people.member, "viewer")] {
        app.add_member(owner, id, member, role).await.expect(201);
    }
    id.to_owned()
}

/// Creates an environment and a session in it. No actor can start the environment, because its driver is not the application's.
async fn environment(app: &TestApp, project: &str, people: &People) -> (String, String) {
    let (environment, session) = (uuid::Uuid::now_v7().to_string(), uuid::Uuid::now_v7().to_string());
    let insert = "INSERT INTO environments (id, project_id, created_by, name, image, driver, status)
                  VALUES ($1::uuid, $2::uuid, $3::uuid, 'One', 'busybox:1.37', 'docker', 'stopped')";
    let made = sqlx::query(insert).bind(&environment).bind(project).bind(&people.member.id).execute(app.stores.pool());
    made.await.unwrap();
    let insert = "INSERT INTO env_sessions (id, environment_id, user_id, type) VALUES ($1::uuid, $2::uuid, $3::uuid, 'shell')";
    let made = sqlx::query(insert).bind(&session).bind(&environment).bind(&people.member.id).execute(app.stores.pool());
    made.await.unwrap();
    (environment, session)
}

/// Creates a post of `People::member` that has no deliveries.
async fn post(app: &TestApp, project: &str, people: &People) -> String {
    let post = uuid::Uuid::now_v7().to_string();
    let insert = "INSERT INTO posts (id, project_id, author_id, text, link) VALUES ($1::uuid, $2::uuid, $3::uuid, 'Hello', 'https://a.b')";
    let made = sqlx::query(insert).bind(&post).bind(project).bind(&people.member.id).execute(app.stores.pool());
    made.await.unwrap();
    post
}

async fn assert_table(visibility: &str) {
    // With these times, an environment that a request creates stays in status `creating` while the test goes through the table.
    let platforms = Platforms::start().await;
    let [file, keys] = platforms.arguments();
    let app = TestApp::with(&["--sim-latency=1h", "--environment-timeout=1h", &file, &keys, FAULTS]).await;
    let people = People::of(&app).await;
    let shown = app.project(people.named("owner"), "Shown", "public").await;
    let publish = format!("/api/projects/{}/publish", shown["id"].as_str().unwrap());
    app.as_user(people.named("owner"), Method::POST, &publish).json(&json!({})).answer().await.expect(200);
    let mut wrong = Vec::new();
    for (actor, name) in ACTORS.iter().enumerate() {
        let id = project(&app, &people, visibility).await;
        let (env, session) = environment(&app, &id, &people).await;
        let post = post(&app, &id, &people).await;
        for (method, template, body, private, public) in &ROUTES {
            let expected = if visibility == "public" { public[actor] } else { private[actor] };
            let path = template.replace("{id}", &id).replace("{member}", &people.member.id);
            let path = path.replace("{env}", &env).replace("{session}", &session).replace("{post}", &post).replace("{fault}", &id);
            let mut request = app.request(method.clone(), &path).header("if-match", "*");
            if let Some(user) = &people.by_role[actor] {
                request = request.bearer_auth(&user.token);
            }
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body().to_string().replace("{id}", &id));
            }
            let before = app.stores.contents().await;
            let answer = request.answer().await;
            if answer.status != expected {
                wrong.push(format!("{method} {template} as {name}: {} instead of {expected}", answer.status));
            }
            if answer.status == 202 {
                let jobs = "SELECT count(*) FROM jobs WHERE kind = 'environment_change' AND payload ->> 'operation' = 'delete'";
                eventually("no job that deletes an environment is left", async || when(app.stores.count(jobs).await == 0)).await;
            }
            if answer.status >= 400 {
                assert_eq!(app.stores.contents().await, before, "{method} {template} as {name} changed something");
            }
            if answer.status == 404 {
                // The response must not reveal the name of a hidden object.
                assert!(!answer.text().contains("One"), "{}", answer.text());
            }
        }
    }
    assert!(wrong.is_empty(), "{visibility}:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_role_has_its_permissions_in_a_private_project() {
    assert_table("private").await;
}

#[tokio::test]
async fn every_role_has_its_permissions_in_a_public_project() {
    assert_table("public").await;
}

/// Prefixes of the routes that the table must name.
const BY_ROLE: [&str; 9] = [
    "/api/projects",
    "/api/showcase",
    "/api/environments",
    "/api/sessions",
    "/api/extensions",
    "/api/posts",
    "/api/insights",
    "/api/faults",
    "/api/log-levels",
];

/// The path template as in the OpenAPI description.
fn as_described(path: &str) -> String {
    let named = path.replace("{member}", "{user_id}").replace("{env}", "{id}").replace("{session}", "{id}").replace("{post}", "{id}");
    named
        .replace("{fault}", "{id}")
        .replace("/shell-prompt", "/{extension}")
        .replace("/shown", "/{slug}")
        .replace("/insights/mastodon", "/insights/{platform}")
}

#[tokio::test]
async fn the_table_names_every_route_with_one_of_the_prefixes() {
    let described = serde_json::to_value(vitrine::router::description()).unwrap();
    let mut documented = Vec::new();
    for (path, item) in
        described["paths"].as_object().unwrap().iter().filter(|(path, _)| BY_ROLE.iter().any(|start| path.starts_with(start)))
    {
        documented.extend(item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let mut tested: Vec<_> = ROUTES.iter().map(|(method, path, ..)| format!("{method} {}", as_described(path))).collect();
    documented.sort();
    tested.sort();
    assert_eq!(tested, documented);
}

#[tokio::test]
async fn a_hidden_and_a_missing_project_get_the_same_response() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let hidden = app.project(&ada, "One", "private").await;
    let without_its_request = async |id: &str| {
        let mut body = app.as_user(&eve, Method::GET, &format!("/api/projects/{id}")).answer().await.problem(404, "not_found").json();
        for name in ["trace_id", "instance"] {
            body.as_object_mut().unwrap().remove(name);
        }
        body
    };
    let none = uuid::Uuid::now_v7().to_string();
    assert_eq!(without_its_request(hidden["id"].as_str().unwrap()).await, without_its_request(&none).await);
}
