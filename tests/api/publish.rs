//! Publishing: adding projects to the showcase, removing projects from it, the slugs of projects, and conflicts between slugs.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Ask, LONG_TIMEOUTS, Scrape, Stores, TestApp, User};

/// A replica and a user with a private project.
struct Fixture {
    app: TestApp,
    ada: User,
    id: String,
}

impl Fixture {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let ada = app.user("ada").await;
        let id = made(&app, &ada, "First light").await;
        Self { app, ada, id }
    }

    async fn publish(&self, body: Value) -> Answer {
        publish(&self.app, &self.ada, &self.id, body).await
    }

    async fn unpublish(&self) -> Answer {
        self.app.as_user(&self.ada, Method::DELETE, &format!("/api/projects/{}/publish", self.id)).answer().await
    }

    async fn shown(&self, slug: &str) -> Answer {
        self.app.get(&format!("/api/showcase/{slug}")).answer().await
    }
}

/// Creates a private project and returns its identifier.
async fn made(app: &TestApp, owner: &User, name: &str) -> String {
    app.project(owner, name, "private").await["id"].as_str().unwrap().to_owned()
}

async fn publish(app: &TestApp, user: &User, id: &str, body: Value) -> Answer {
    app.post(&format!("/api/projects/{id}/publish")).bearer_auth(&user.token).json(&body).answer().await
}

fn published(after: &Scrape, before: &Scrape) -> f64 {
    after.since(before, "projects_published_total", &[])
}

#[tokio::test]
async fn publishing_makes_a_project_public_and_unpublishing_only_removes_it_from_the_showcase() {
    let fixture = Fixture::new().await;
    let before = fixture.app.settled().await;
    fixture.shown("first-light").await.problem(404, "not_found");

    let answer = fixture.publish(json!({})).await.expect(200);
    let project = answer.json();
    assert_eq!((answer.header("etag"), &project["visibility"], &project["slug"]), ("\"2\"", &json!("public"), &json!("first-light")));
    assert!(project["published_at"].is_string() && project["updated_at"] == project["published_at"], "{project}");
    // The showcase has no other fields: it must not show an identifier or an e-mail address.
    let shown = json!({ "name": "First light", "slug": "first-light", "description": "", "owner": "Somebody", "published_at": project["published_at"] });
    assert_eq!(fixture.shown("first-light").await.expect(200).json(), shown);
    assert_eq!(fixture.app.get("/api/showcase").answer().await.expect(200).json(), json!({ "items": [shown], "next_cursor": null }));

    let answer = fixture.unpublish().await.expect(200);
    let project = answer.json();
    assert_eq!((answer.header("etag"), &project["visibility"], &project["published_at"]), ("\"3\"", &json!("public"), &Value::Null));
    fixture.shown("first-light").await.problem(404, "not_found");
    assert_eq!(fixture.app.get("/api/showcase").answer().await.expect(200).json(), json!({ "items": [], "next_cursor": null }));
    assert_eq!(published(&fixture.app.settled().await, &before), 1.0);
}

#[tokio::test]
async fn publishing_or_unpublishing_again_changes_nothing() {
    let fixture = Fixture::new().await;
    let rows = fixture.app.stores.contents().await;
    let answer = fixture.unpublish().await.expect(200);
    assert_eq!(
        (answer.header("etag"), &fixture.app.stores.contents().await),
        ("\"1\"", &rows),
        "unpublishing a private project must change nothing"
    );

    let first = fixture.publish(json!({ "slug": "dawn" })).await.expect(200);
    let (rows, before) = (fixture.app.stores.contents().await, fixture.app.settled().await);
    for body in [json!({}), json!({ "slug": "dawn" })] {
        let again = fixture.publish(body).await.expect(200);
        assert_eq!((again.header("etag"), again.json()), (first.header("etag"), first.json()));
    }
    fixture.publish(json!({ "slug": "dusk" })).await.problem(409, "already_published");
    assert_eq!(fixture.app.stores.contents().await, rows);
    assert_eq!(published(&fixture.app.settled().await, &before), 0.0);

    // An unpublished project may be published under another slug and is then counted again. Its previous link does not work any more.
    fixture.unpublish().await.expect(200);
    fixture.publish(json!({ "slug": "dusk" })).await.expect(200);
    assert_eq!(fixture.shown("dusk").await.expect(200).json()["slug"], "dusk");
    fixture.shown("dawn").await.problem(404, "not_found");
    assert_eq!(published(&fixture.app.settled().await, &before), 1.0);
}

#[tokio::test]
async fn concurrent_requests_publish_a_project_once() {
    let stores = Stores::new().await;
    let replicas = [TestApp::on(&stores, &LONG_TIMEOUTS).await, TestApp::on(&stores, &LONG_TIMEOUTS).await];
    let ada = replicas[0].user("ada").await;
    let id = made(&replicas[0], &ada, "One").await;
    let before = [replicas[0].settled().await, replicas[1].settled().await];
    let answers = join_all((0..20).map(|index| publish(&replicas[index % 2], &ada, &id, json!({})))).await;
    let first = answers[0].json();
    for answer in &answers {
        assert_eq!((answer.status, answer.header("etag"), answer.json()), (200, "\"2\"", first.clone()));
    }
    let counted = published(&replicas[0].settled().await, &before[0]) + published(&replicas[1].settled().await, &before[1]);
    assert_eq!(counted, 1.0);
}

#[tokio::test]
async fn only_one_of_several_concurrent_requests_for_a_slug_succeeds() {
    let stores = Stores::new().await;
    let replicas = [TestApp::on(&stores, &LONG_TIMEOUTS).await, TestApp::on(&stores, &LONG_TIMEOUTS).await];
    let ada = replicas[0].user("ada").await;
    let before = [replicas[0].settled().await, replicas[1].settled().await];
    for round in 1..=3 {
        let slug = format!("wanted-{round}");
        let mut projects = Vec::new();
        for index in 0..4 {
            projects.push(made(&replicas[0], &ada, &format!("name {round} {index}")).await);
        }
        let races = projects.iter().enumerate().map(|(index, id)| publish(&replicas[index % 2], &ada, id, json!({ "slug": slug })));
        let mut winners = Vec::new();
        for (answer, id) in join_all(races).await.into_iter().zip(&projects) {
            if answer.status == 200 {
                winners.push(answer.json());
                continue;
            }
            answer.problem(409, "slug_taken");
            let loser = replicas[0].as_user(&ada, Method::GET, &format!("/api/projects/{id}")).answer().await.expect(200);
            assert_eq!((loser.header("etag"), &loser.json()["visibility"]), ("\"1\"", &json!("private")));
        }
        assert_eq!(winners.len(), 1);
        let shown = replicas[1].get(&format!("/api/showcase/{slug}")).answer().await.expect(200).json();
        assert_eq!((&shown["name"], &shown["slug"]), (&winners[0]["name"], &json!(slug)));
    }
    let counted = published(&replicas[0].settled().await, &before[0]) + published(&replicas[1].settled().await, &before[1]);
    assert_eq!(counted, 3.0);
}

#[tokio::test]
async fn an_invalid_slug_is_refused_with_a_reason_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let (rows, before) = (fixture.app.stores.contents().await, fixture.app.settled().await);
    let (long, longer) = ("x".repeat(61), "x".repeat(10_000));
    for (slug, code) in [
        ("", "too_short"),
        ("ab", "too_short"),
        (" a ", "invalid"),
        (&long, "too_long"),
        (&longer, "too_long"),
        ("First-light", "invalid"),
        ("FIRST", "invalid"),
        ("-first", "invalid"),
        ("first-", "invalid"),
        ("first--light", "invalid"),
        ("---", "invalid"),
        ("first_light", "invalid"),
        ("first light", "invalid"),
        (" first", "invalid"),
        ("first\n", "invalid"),
        ("first.light", "invalid"),
        ("...", "invalid"),
        ("../admin", "invalid"),
        ("first/light", "invalid"),
        ("first%2flight", "invalid"),
        ("first\\light", "invalid"),
        ("first\0light", "invalid"),
        ("first'--", "invalid"),
        // Not ASCII, but mostly similar to it: Cyrillic a and o, full-width f, en dash, Arabic digit, soft hyphen, accented letter, emoji.
        ("pаypal", "invalid"),
        ("gооd", "invalid"),
        ("ｆirst", "invalid"),
        ("first–light", "invalid"),
        ("first٣", "invalid"),
        ("fir\u{ad}st", "invalid"),
        ("naïve", "invalid"),
        ("🦀🦀🦀", "invalid"),
        ("new", "reserved"),
        ("admin", "reserved"),
        ("api", "reserved"),
        ("login", "reserved"),
        ("search", "reserved"),
    ] {
        let what = slug.chars().take(20).collect::<String>();
        let answer = fixture.publish(json!({ "slug": slug })).await.problem(422, "validation_failed");
        assert_eq!(answer.field_code("slug").as_deref(), Some(code), "{what:?}");
        assert!(answer.body.len() < 1000, "the problem must not echo the input");
    }
    assert_eq!(fixture.app.stores.contents().await, rows);
    assert_eq!(published(&fixture.app.settled().await, &before), 0.0);
    for slug in ["abc", "000", "a-b", "news", &"x".repeat(60)] {
        fixture.publish(json!({ "slug": slug })).await.expect(200);
        fixture.shown(slug).await.expect(200);
        fixture.unpublish().await.expect(200);
    }
}

#[tokio::test]
async fn a_generated_slug_can_be_published_and_a_stored_slug_that_is_now_reserved_must_be_replaced() {
    let fixture = Fixture::new().await;
    for (name, slug) in [("New", "new-project"), ("日本語", "project"), ("x", "x-project"), (&"y".repeat(80), &"y".repeat(60))] {
        let id = made(&fixture.app, &fixture.ada, name).await;
        assert_eq!(publish(&fixture.app, &fixture.ada, &id, json!({})).await.expect(200).json()["slug"], slug);
    }
    // The same long name again: its slug now ends with a random number, and is still short enough to be published.
    let id = made(&fixture.app, &fixture.ada, &"y".repeat(80)).await;
    assert!(publish(&fixture.app, &fixture.ada, &id, json!({})).await.expect(200).json()["slug"].as_str().unwrap().starts_with("yyy"));

    fixture.app.stores.execute("UPDATE projects SET slug = 'new' WHERE slug = 'first-light'").await;
    let rows = fixture.app.stores.contents().await;
    let answer = fixture.publish(json!({})).await.problem(422, "validation_failed");
    assert_eq!(answer.field_code("slug").as_deref(), Some("reserved"));
    assert_eq!(fixture.app.stores.contents().await, rows);
    fixture.publish(json!({ "slug": "first-light" })).await.expect(200);
}

#[tokio::test]
async fn the_slug_of_a_private_project_is_also_taken() {
    let fixture = Fixture::new().await;
    let eve = fixture.app.user("eve").await;
    let id = made(&fixture.app, &eve, "Other").await;
    let rows = fixture.app.stores.contents().await;
    publish(&fixture.app, &eve, &id, json!({ "slug": "first-light" })).await.problem(409, "slug_taken");
    assert_eq!(fixture.app.stores.contents().await, rows);
}

#[tokio::test]
async fn making_a_project_private_unpublishes_it_and_making_it_public_does_not_publish_it() {
    let fixture = Fixture::new().await;
    let change = async |visibility: &str| {
        let path = format!("/api/projects/{}", fixture.id);
        let request =
            fixture.app.patch(&path).bearer_auth(&fixture.ada.token).header("if-match", "*").json(&json!({ "visibility": visibility }));
        request.answer().await.expect(200).json()["published_at"].clone()
    };
    let at = fixture.publish(json!({})).await.expect(200).json()["published_at"].clone();
    assert_eq!(change("public").await, at, "the time of publication must not change");
    assert_eq!(change("private").await, Value::Null);
    fixture.shown("first-light").await.problem(404, "not_found");
    assert_eq!(change("public").await, Value::Null);
    fixture.shown("first-light").await.problem(404, "not_found");

    // A replica of an older release leaves `published_at` set when it makes a project private. The project must be hidden nevertheless.
    let before = fixture.app.settled().await;
    let hidden = "UPDATE projects SET visibility = 'private', published_at = now()";
    fixture.app.stores.execute(hidden).await;
    fixture.shown("first-light").await.problem(404, "not_found");
    assert_eq!(change("public").await, Value::Null);
    fixture.shown("first-light").await.problem(404, "not_found");
    fixture.app.stores.execute(hidden).await;
    fixture.publish(json!({ "slug": "second-light" })).await.expect(200);
    fixture.shown("second-light").await.expect(200);
    assert_eq!(published(&fixture.app.settled().await, &before), 1.0);
}
