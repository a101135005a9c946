//! Repeated requests have one effect. A request repeated with its idempotency key also gets the first response.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, Ask, Stores, TestApp, User};

async fn create(app: &TestApp, user: &User, key: &str, name: &str) -> Answer {
    app.post("/api/projects").bearer_auth(&user.token).header("idempotency-key", key).json(&json!({ "name": name })).answer().await
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_response() {
    let stores = Stores::new().await;
    let (one, two) = (TestApp::on(&stores, &[]).await, TestApp::on(&stores, &[]).await);
    let ada = one.user("ada").await;
    let first = create(&one, &ada, "k-1", "One").await.expect(201);
    let before = two.settled().await;
    // Structured-field strings are quoted; clients that do not know this send the same key unquoted.
    for key in ["k-1", "\"k-1\""] {
        let again = create(&two, &ada, key, "One").await.expect(201);
        assert_eq!(again.json(), first.json());
        for header in ["location", "etag"] {
            assert_eq!(again.header(header), first.header(header));
        }
    }
    let after = two.settled().await;
    assert_eq!(after.since(&before, "idempotent_replays_total", &[]), 2.0);
    assert_eq!(after.since(&before, "projects_created_total", &[]), 0.0);
    assert_eq!(stores.count("SELECT count(*) FROM projects").await, 1);
}

#[tokio::test]
async fn a_key_identifies_one_request_of_one_account() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    create(&app, &ada, "k-1", "One").await.expect(201);
    create(&app, &ada, "k-1", "Two").await.problem(422, "idempotency_key_reused");
    create(&app, &eve, "k-1", "Two").await.expect(201);
    create(&app, &ada, "k-2", "One").await.expect(201);
    assert_eq!(app.stores.count("SELECT count(*) FROM projects").await, 3);
}

#[tokio::test]
async fn a_refused_request_does_not_use_its_key_up() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    create(&app, &ada, "k-1", " ").await.problem(422, "validation_failed");
    create(&app, &ada, "k-1", "One").await.expect(201);
    let project = app.project(&ada, "Two", "private").await;
    let path = format!("/api/projects/{}/members", project["id"].as_str().unwrap());
    let add = async || {
        let body = json!({ "email": "bob@example.com", "role": "viewer" });
        app.post(&path).bearer_auth(&ada.token).header("idempotency-key", "k-3").json(&body).answer().await
    };
    add().await.problem(422, "validation_failed");
    app.user("bob").await;
    let first = add().await.expect(201);
    assert_eq!(add().await.expect(201).json(), first.json());
}

#[tokio::test]
async fn fifty_concurrent_requests_have_one_effect_and_get_the_same_response_or_a_409() {
    let stores = Stores::new().await;
    // Fifty requests share the ten connections of two replicas. On a busy machine, some requests wait for more than a second.
    let patient = ["--database-acquire-timeout=15s", "--database-statement-timeout=15s"];
    let replicas = [TestApp::on(&stores, &patient).await, TestApp::on(&stores, &patient).await];
    let ada = replicas[0].user("ada").await;
    let answers = join_all((0..50).map(|index| create(&replicas[index % 2], &ada, "k-1", "One"))).await;
    let mut created: Vec<String> = Vec::new();
    for answer in answers {
        if answer.status == 201 {
            created.push(answer.text());
        } else {
            let answer = answer.problem(409, "idempotency_in_progress");
            assert_eq!(answer.header("retry-after"), "1");
        }
    }
    created.dedup();
    assert_eq!(created.len(), 1);
    assert_eq!(stores.count("SELECT count(*) FROM projects").await, 1);
    let made: f64 = async {
        let mut made = 0.0;
        for replica in &replicas {
            made += replica.settled().await.get("projects_created_total", &[]);
        }
        made
    }
    .await;
    assert_eq!(made, 1.0);
}

#[tokio::test]
async fn concurrent_registrations_of_one_email_create_one_account() {
    let app = TestApp::start().await;
    let answers = join_all((0..8).map(|_| app.register("ada@example.com"))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (1, 7), "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert_eq!(app.stores.count("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn invalid_keys_are_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for key in ["", "\"\"", &"k".repeat(256), &format!("\"{}\"", "k".repeat(256))] {
        create(&app, &ada, key, "One").await.problem(400, "invalid_header");
    }
    let latin = reqwest::header::HeaderValue::from_bytes(b"k\xe9y").unwrap();
    let request = app.post("/api/projects").bearer_auth(&ada.token).header("idempotency-key", latin).json(&json!({ "name": "One" }));
    request.answer().await.problem(400, "invalid_header");
    // The quotation marks are not part of the key and do not count towards its length.
    for key in ["k".repeat(255), format!("\"{}\"", "k".repeat(255))] {
        create(&app, &ada, &key, "One").await.expect(201);
    }
    assert_eq!(app.stores.count("SELECT count(*) FROM projects").await, 1);
}
