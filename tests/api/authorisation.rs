//! Who may do what: every route of projects, asked by everybody, of a private and of a public project.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Ask, TestApp, User};

/// Who asks, in the order of the columns below.
const ACTORS: [&str; 6] = ["anonymous", "stranger", "viewer", "editor", "owner", "admin"];

/// One route: its method, path, body, and a status for each actor: private, then public.
type Route = (Method, &'static str, Option<fn() -> Value>, [u16; 6], [u16; 6]);

/// Those that end something come last: they are asked of the same project.
const ROUTES: [Route; 8] = [
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

async fn assert_table(visibility: &str) {
    let app = TestApp::start().await;
    let people = People::of(&app).await;
    let mut wrong = Vec::new();
    for (actor, name) in ACTORS.iter().enumerate() {
        let id = project(&app, &people, visibility).await;
        for (method, template, body, private, public) in &ROUTES {
            let expected = if visibility == "public" { public[actor] } else { private[actor] };
            let path = template.replace("{id}", &id).replace("{member}", &people.member.id);
            let mut request = app.request(method.clone(), &path).header("if-match", "*");
            if let Some(user) = &people.by_role[actor] {
                request = request.bearer_auth(&user.token);
            }
            if let Some(body) = body {
                request = request.json(&body());
            }
            let before = app.stores.contents().await;
            let answer = request.answer().await;
            if answer.status != expected {
                wrong.push(format!("{method} {template} as {name}: {} instead of {expected}", answer.status));
            }
            if answer.status >= 400 {
                assert_eq!(app.stores.contents().await, before, "{method} {template} as {name} changed something");
            }
            if answer.status == 404 {
                // What is hidden looks like what is not there.
                assert!(!answer.text().contains("One"), "{}", answer.text());
            }
        }
    }
    assert!(wrong.is_empty(), "{visibility}:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn of_a_private_project_everybody_may_what_the_role_says() {
    assert_table("private").await;
}

#[tokio::test]
async fn of_a_public_project_everybody_may_what_the_role_says() {
    assert_table("public").await;
}

#[tokio::test]
async fn the_table_names_every_route_of_projects_there_is() {
    let described = serde_json::to_value(vitrine::router::description()).unwrap();
    let mut documented = Vec::new();
    for (path, item) in described["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/api/projects")) {
        documented.extend(item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let mut tested: Vec<_> =
        ROUTES.iter().map(|(method, path, ..)| format!("{method} {}", path.replace("{member}", "{user_id}"))).collect();
    documented.sort();
    tested.sort();
    assert_eq!(tested, documented);
}

#[tokio::test]
async fn a_hidden_project_and_none_at_all_are_the_same_answer() {
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
