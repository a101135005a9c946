//! Projects: create, read, change and delete, and concurrent changes.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Ask, LONG_TIMEOUTS, Stores, TestApp, User};

async fn change(app: &TestApp, user: &User, id: &str, etag: &str, body: Value) -> Answer {
    app.patch(&format!("/api/projects/{id}")).bearer_auth(&user.token).header("if-match", etag).json(&body).answer().await
}

async fn read(app: &TestApp, user: &User, id: &str) -> Answer {
    app.as_user(user, Method::GET, &format!("/api/projects/{id}")).answer().await
}

#[tokio::test]
async fn a_project_is_created_read_changed_and_deleted() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let before = app.settled().await;

    let body = json!({ "name": "  First light ", "description": "Lines\nand\ttabs" });
    let created = app.post("/api/projects").bearer_auth(&ada.token).json(&body).answer().await.expect(201);
    let project = created.json();
    let id = project["id"].as_str().unwrap();
    assert_eq!(created.header("location"), format!("/api/projects/{id}"));
    assert_eq!(created.header("etag"), "\"1\"");
    let expected = json!({ "id": id, "name": "First light", "slug": "first-light", "description": "Lines\nand\ttabs", "visibility": "private",
        "owner_id": ada.id, "role": "owner", "created_at": project["created_at"], "updated_at": project["updated_at"], "published_at": null });
    assert_eq!(project, expected);

    let seen = app.as_user(&ada, Method::GET, created.header("location")).answer().await.expect(200);
    assert_eq!((seen.json(), seen.header("etag")), (project.clone(), "\"1\""));

    let changed = change(&app, &ada, id, "\"1\"", json!({ "description": "", "visibility": "public" })).await.expect(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!((&changed.json()["name"], &changed.json()["description"]), (&json!("First light"), &json!("")));
    assert_eq!(changed.json()["visibility"], "public");
    assert_eq!(changed.json()["slug"], "first-light", "a slug must not change");
    assert_eq!(read(&app, &ada, id).await.json(), changed.json());

    app.as_user(&ada, Method::DELETE, &format!("/api/projects/{id}")).answer().await.expect(204);
    read(&app, &ada, id).await.problem(404, "not_found");
    change(&app, &ada, id, "*", json!({ "name": "x" })).await.problem(404, "not_found");
    app.as_user(&ada, Method::DELETE, &format!("/api/projects/{id}")).answer().await.problem(404, "not_found");
    assert_eq!(app.stores.count("SELECT (SELECT count(*) FROM projects) + (SELECT count(*) FROM project_members)").await, 0);
    assert_eq!(app.settled().await.since(&before, "projects_created_total", &[]), 1.0);
}

#[tokio::test]
async fn a_client_with_the_current_version_gets_304() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let project = app.project(&ada, "One", "private").await;
    let id = project["id"].as_str().unwrap();
    let read =
        async |known: &str| app.as_user(&ada, Method::GET, &format!("/api/projects/{id}")).header("if-none-match", known).answer().await;
    for known in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        let answer = read(known).await.expect(304);
        assert_eq!((answer.body.len(), answer.header("etag")), (0, "\"1\""), "{known}");
    }
    for unknown in ["\"2\"", "\"\"", "", "\"2,1\""] {
        read(unknown).await.expect(200);
    }
    for invalid in ["1", "garbage", "*, \"1\""] {
        read(invalid).await.problem(400, "invalid_header");
    }
    change(&app, &ada, id, "\"1\"", json!({ "name": "Two" })).await.expect(200);
    read("\"1\"").await.expect(200);
    let before = app.settled().await;
    read("\"2\"").await.expect(304);
    let after = app.settled().await;
    let grown = after.grown(&before, "http_requests_total");
    assert_eq!(grown.get("method=GET,route=/api/projects/{id},status=304"), Some(&1.0), "{grown:?}");
    assert_eq!(after.since(&before, "http_requests_cancelled_total", &[]), 0.0);
}

/// RFC 9110, 5.3: several lines of a field are one list.
#[tokio::test]
async fn several_lines_of_a_condition_are_one_list() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let path = format!("/api/projects/{}", app.project(&ada, "One", "private").await["id"].as_str().unwrap());
    let ask = async |method: Method, header: &str, lines: [&str; 2]| {
        let mut request = app.as_user(&ada, method.clone(), &path);
        for line in lines {
            request = request.header(header, line);
        }
        if method == Method::PATCH { request.json(&json!({ "name": "Two" })) } else { request }.answer().await
    };
    ask(Method::GET, "if-none-match", ["\"8\"", "W/\"1\""]).await.expect(304);
    ask(Method::GET, "if-none-match", ["\"8\"", "\"9\""]).await.expect(200);
    ask(Method::PATCH, "if-match", ["\"8\"", "\"9\""]).await.problem(412, "precondition_failed");
    ask(Method::PATCH, "if-match", ["*", "\"1\""]).await.problem(400, "invalid_header");
    assert_eq!(ask(Method::PATCH, "if-match", ["\"8\"", "\"1\""]).await.expect(200).header("etag"), "\"2\"");
    ask(Method::DELETE, "if-match", ["\"1\"", "\"8\""]).await.problem(412, "precondition_failed");
    ask(Method::DELETE, "if-match", ["\"8\"", "\"2\""]).await.expect(204);
}

/// RFC 9110, 13.2.1: conditions are ignored if the request would also fail without them.
#[tokio::test]
async fn every_condition_applies_to_every_operation_on_a_project() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let path = format!("/api/projects/{}", app.project(&ada, "One", "private").await["id"].as_str().unwrap());
    let ask = |method: Method| app.as_user(&ada, method, &path);
    ask(Method::GET).header("if-match", "\"2\"").answer().await.problem(412, "precondition_failed");
    ask(Method::GET).header("if-match", "\"1\"").answer().await.expect(200);
    ask(Method::GET).header("if-match", "\"1\"").header("if-none-match", "\"1\"").answer().await.expect(304);
    let change = |known: &str| ask(Method::PATCH).header("if-match", "*").header("if-none-match", known).json(&json!({ "name": "Two" }));
    change("\"1\"").answer().await.problem(412, "precondition_failed");
    change("\"2\"").answer().await.expect(200);
    ask(Method::DELETE).header("if-match", "\"1\"").answer().await.problem(412, "precondition_failed");
    ask(Method::DELETE).header("if-match", "2").answer().await.problem(400, "invalid_header");
    ask(Method::DELETE).answer().await.expect(204);
    ask(Method::GET).header("if-match", "*").answer().await.problem(404, "not_found");
}

#[tokio::test]
async fn a_change_requires_a_condition_that_matches_the_current_version() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let project = app.project(&ada, "One", "private").await;
    let id = project["id"].as_str().unwrap();
    let rows = app.stores.contents().await;
    let path = format!("/api/projects/{id}");
    app.patch(&path).bearer_auth(&ada.token).json(&json!({ "name": "Two" })).answer().await.problem(428, "precondition_required");
    for wrong in ["\"2\"", "\"0\"", "W/\"1\"", "\"\"", "\"01\"", "\"2,1\"", ""] {
        change(&app, &ada, id, wrong, json!({ "name": "Two" })).await.problem(412, "precondition_failed");
    }
    for invalid in ["1", "garbage", "\"1", "\"1\", *"] {
        change(&app, &ada, id, invalid, json!({ "name": "Two" })).await.problem(400, "invalid_header");
    }
    assert_eq!(app.stores.contents().await, rows);
    change(&app, &ada, id, "\"9\", \"1\"", json!({ "name": "Two" })).await.expect(200);
    change(&app, &ada, id, "*", json!({ "name": "Three" })).await.expect(200);
}

#[tokio::test]
async fn a_change_without_fields_creates_no_version() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let project = app.project(&ada, "One", "private").await;
    let answer = change(&app, &ada, project["id"].as_str().unwrap(), "\"1\"", json!({})).await.expect(200);
    assert_eq!((answer.header("etag"), answer.json()), ("\"1\"", project));
}

#[tokio::test]
async fn exactly_one_of_several_changes_to_the_same_version_wins() {
    let stores = Stores::new().await;
    let replicas = [TestApp::on(&stores, &LONG_TIMEOUTS).await, TestApp::on(&stores, &LONG_TIMEOUTS).await];
    let ada = replicas[0].user("ada").await;
    let project = replicas[0].project(&ada, "One", "private").await;
    let id = project["id"].as_str().unwrap();
    for version in 1..=3 {
        let etag = format!("\"{version}\"");
        let changes =
            (0..10).map(|index| change(&replicas[index % 2], &ada, id, &etag, json!({ "name": format!("name {version}.{index}") })));
        let answers = join_all(changes).await;
        let winners: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(winners.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 412)));
        for replica in &replicas {
            let seen = read(replica, &ada, id).await;
            assert_eq!((seen.json(), seen.header("etag")), (winners[0].json(), winners[0].header("etag")));
        }
    }
    assert_eq!(stores.count("SELECT version FROM projects").await, 4);
}

#[tokio::test]
async fn projects_whose_names_give_the_same_slug_get_different_slugs() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let names = ["First light", "first  LIGHT!", "First-Light", "日本語", "🦀🦀"];
    let answers = join_all(names.iter().map(|name| app.project(&ada, name, "private"))).await;
    let mut slugs: Vec<_> = answers.iter().map(|project| project["slug"].as_str().unwrap().to_owned()).collect();
    for (slug, name) in slugs.iter().zip(names) {
        let stem = if name.is_ascii() { "first-light" } else { "project" };
        assert!(slug == stem || slug.starts_with(&format!("{stem}-")), "{name}: {slug}");
        assert!(slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{slug}");
    }
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs.len(), names.len());
}

#[tokio::test]
async fn a_read_after_a_change_returns_the_change_on_every_replica() {
    let stores = Stores::new().await;
    let (one, two) = (TestApp::on(&stores, &[]).await, TestApp::on(&stores, &[]).await);
    let ada = one.user("ada").await;
    let project = one.project(&ada, "name 0", "private").await;
    let id = project["id"].as_str().unwrap();
    for round in 1..=10 {
        let name = format!("name {round}");
        read(&two, &ada, id).await.expect(200);
        change(&one, &ada, id, "*", json!({ "name": name })).await.expect(200);
        assert_eq!(read(&two, &ada, id).await.expect(200).json()["name"], name);
    }
    one.as_user(&ada, Method::DELETE, &format!("/api/projects/{id}")).answer().await.expect(204);
    read(&two, &ada, id).await.problem(404, "not_found");
}
