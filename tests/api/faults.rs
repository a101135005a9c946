//! Fault injection: access to its routes and its page, validation of faults, and log lines. The routes and the page do not exist while
//! fault injection is disabled.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::program::{Program, output_text, run};
use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, Stores, TestApp, User, eventually, when};

const LIST: &str = "/api/faults";
const PAGE: &str = "/studio/faults";

async fn visit(app: &TestApp, user: &User, path: &str) -> Answer {
    app.get(path).header("accept", "text/html").header("cookie", format!("vitrine={}", user.token)).answer().await
}

#[tokio::test]
async fn without_fault_injection_no_user_can_create_faults() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let one = format!("{LIST}/{}", Uuid::new_v4());
    for (method, path) in
        [(Method::GET, LIST), (Method::DELETE, LIST), (Method::GET, &one), (Method::PUT, &one), (Method::DELETE, &one), (Method::GET, PAGE)]
    {
        app.as_user(&admin, method.clone(), path)
            .json(&json!({ "fault": "login", "expires_in": 60 }))
            .answer()
            .await
            .problem(404, "not_found");
    }
    assert_eq!(app.stores.count("SELECT count(*) FROM faults").await, 0);
    assert!(!visit(&app, &admin, "/studio").await.expect(200).text().contains(PAGE));
    let scrape = app.settled().await;
    assert!(!scrape.text.contains("route=\"/api/faults"), "routes that do not exist must have no series");
}

#[tokio::test]
async fn a_fault_is_created_read_replaced_listed_and_ended() {
    let app = TestApp::with_faults(&[]).await;
    let admin = app.admin().await;
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    let ask = async |method, path: &str| app.as_user(&admin, method, path).answer().await;
    let path = format!("{LIST}/{first}");
    ask(Method::GET, &path).await.problem(404, "not_found");
    let order =
        json!({ "fault": "latency", "delay_ms": 1, "route": "/api/projects/{id}", "percent": 5, "replica": "backend-9", "expires_in": 60 });
    let made = app.order(&admin, first, &order).await.expect(201).json();
    assert_eq!(ask(Method::GET, &path).await.expect(200).json(), made);
    for (field, expected) in [
        ("id", json!(first)),
        ("fault", json!("latency")),
        ("delay_ms", json!(1)),
        ("route", json!("/api/projects/{id}")),
        ("percent", json!(5)),
        ("replica", json!("backend-9")),
    ] {
        assert_eq!(made[field], expected, "{made}");
    }
    let replaced = app.order(&admin, first, &json!({ "fault": "driver", "operation": "pull", "expires_in": 60 })).await.expect(200).json();
    assert_eq!((replaced["percent"].as_u64(), replaced.get("route"), replaced.get("replica")), (Some(100), None, None), "{replaced}");
    app.order(&admin, second, &json!({ "fault": "panic", "route": "/version", "expires_in": 60 })).await.expect(201);
    let listed = ask(Method::GET, LIST).await.expect(200).json();
    let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|fault| fault["id"].clone()).collect();
    assert_eq!(ids, [json!(second), json!(first)]);
    ask(Method::DELETE, &path).await.expect(204);
    ask(Method::DELETE, &path).await.problem(404, "not_found");
    ask(Method::DELETE, LIST).await.expect(204);
    assert_eq!(ask(Method::GET, LIST).await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn an_invalid_fault_is_refused_with_the_invalid_field_and_changes_nothing() {
    let app = TestApp::with_faults(&[]).await;
    let admin = app.admin().await;
    let kept = app.begin(&admin, &json!({ "fault": "driver", "operation": "pull" })).await;
    let before = app.stores.contents().await;
    let cases = [
        (json!({}), "fault", "required"),
        (json!({ "fault": "fire" }), "fault", "invalid"),
        (json!({ "fault": "login", "expires_in": 0 }), "expires_in", "out_of_range"),
        (json!({ "fault": "login", "expires_in": 3601 }), "expires_in", "out_of_range"),
        (json!({ "fault": "login", "expires_in": -1 }), "expires_in", "invalid"),
        (json!({ "fault": "login", "expires_in": "60" }), "expires_in", "invalid"),
        (json!({ "fault": "login", "expires_in": null }), "expires_in", "invalid"),
        (json!({ "fault": "login", "percent": 0 }), "percent", "out_of_range"),
        (json!({ "fault": "login", "percent": 101 }), "percent", "out_of_range"),
        (json!({ "fault": "login", "percent": null }), "percent", "invalid"),
        (json!({ "fault": "login", "percent": 50.5 }), "percent", "invalid"),
        (json!({ "fault": "task", "percent": 50 }), "percent", "not_allowed"),
        (json!({ "fault": "memory", "mebibytes": 1, "percent": 99 }), "percent", "not_allowed"),
        (json!({ "fault": "login", "replica": "" }), "replica", "too_short"),
        (json!({ "fault": "login", "replica": "x".repeat(65) }), "replica", "too_long"),
        (json!({ "fault": "login", "replica": "a\u{0}b" }), "replica", "control_character"),
        (json!({ "fault": "login", "user": "ada" }), "user", "unknown"),
        (json!({ "fault": "latency" }), "delay_ms", "required"),
        (json!({ "fault": "latency", "delay_ms": 0 }), "delay_ms", "out_of_range"),
        (json!({ "fault": "latency", "delay_ms": 30_001 }), "delay_ms", "out_of_range"),
        (json!({ "fault": "latency", "delay_ms": 1, "route": "/nowhere" }), "route", "unknown"),
        (json!({ "fault": "latency", "delay_ms": 1, "route": "/api/projects/1" }), "route", "unknown"),
        (json!({ "fault": "latency", "delay_ms": 1, "route": "/socket.io/" }), "route", "unknown"),
        (json!({ "fault": "panic", "route": "/health/ready" }), "route", "not_allowed"),
        (json!({ "fault": "panic", "route": "/metrics" }), "route", "not_allowed"),
        (json!({ "fault": "panic", "route": "/api/faults/{id}" }), "route", "not_allowed"),
        (json!({ "fault": "panic", "route": "/api/auth/login" }), "route", "not_allowed"),
        (json!({ "fault": "error" }), "status", "required"),
        (json!({ "fault": "error", "status": 404 }), "status", "invalid"),
        (json!({ "fault": "error", "status": 500, "delay_ms": 1 }), "delay_ms", "not_allowed"),
        (json!({ "fault": "memory" }), "mebibytes", "required"),
        (json!({ "fault": "memory", "mebibytes": 2049 }), "mebibytes", "out_of_range"),
        (json!({ "fault": "memory", "mebibytes": 1, "route": "/version" }), "route", "not_allowed"),
        (json!({ "fault": "block", "delay_ms": 1001 }), "delay_ms", "out_of_range"),
        (json!({ "fault": "database", "delay_ms": 1, "table": "health" }), "table", "unknown"),
        (json!({ "fault": "database", "delay_ms": 1, "table": "faults" }), "table", "unknown"),
        (json!({ "fault": "database", "delay_ms": 1, "table": "pg_class" }), "table", "unknown"),
        (json!({ "fault": "driver", "operation": "explode" }), "operation", "invalid"),
        (json!({ "fault": "driver", "delay_ms": 0 }), "delay_ms", "out_of_range"),
        (json!({ "fault": "drop_event", "table": "projects" }), "table", "not_allowed"),
        (json!({ "fault": "login", "status": 500 }), "status", "not_allowed"),
        (json!({ "fault": "task", "mebibytes": 1 }), "mebibytes", "not_allowed"),
    ];
    for (mut order, field, code) in cases {
        let given = order.as_object_mut().unwrap();
        given.entry("expires_in").or_insert(json!(60));
        for id in [kept, Uuid::new_v4()] {
            let refused = app.order(&admin, id, &order).await.problem(422, "validation_failed");
            assert_eq!(refused.field_code(field).as_deref(), Some(code), "{order}: {}", refused.text());
        }
    }
    let put = || app.as_user(&admin, Method::PUT, &format!("{LIST}/{kept}")).header("content-type", "application/json");
    put().body("{").answer().await.problem(400, "malformed_json");
    put().body("[]").answer().await.problem(422, "validation_failed");
    put().body(format!("{{\"fault\":\"{}\"}}", "x".repeat(2 << 20))).answer().await.problem(413, "payload_too_large");
    app.as_user(&admin, Method::PUT, &format!("{LIST}/{kept}")).body("{}").answer().await.problem(415, "unsupported_media_type");
    app.as_user(&admin, Method::PUT, &format!("{LIST}/mine"))
        .json(&json!({ "fault": "login", "expires_in": 1 }))
        .answer()
        .await
        .problem(404, "not_found");
    app.as_user(&admin, Method::PUT, &format!("{LIST}/{kept}"))
        .header("sec-fetch-site", "cross-site")
        .json(&json!({ "fault": "login", "expires_in": 1 }))
        .answer()
        .await
        .problem(403, "cross_site_request");
    assert_eq!(app.stores.contents().await, before);
}

#[tokio::test]
async fn all_errors_in_a_fault_are_returned_together() {
    let app = TestApp::with_faults(&[]).await;
    let admin = app.admin().await;
    let order = json!({ "fault": "latency", "percent": 0, "route": "/nowhere", "status": 500, "expires_in": 0 });
    let refused = app.order(&admin, Uuid::new_v4(), &order).await.problem(422, "validation_failed").json();
    let fields: Vec<&str> = refused["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["percent", "delay_ms", "route", "expires_in", "status"]);
}

#[tokio::test]
async fn the_page_is_for_admins_and_shows_the_active_faults() {
    let app = TestApp::with_faults(&[]).await;
    let (admin, member) = (app.admin().await, app.user("ada").await);
    let left = app.get(PAGE).header("accept", "text/html").answer().await.expect(303);
    assert_eq!(left.header("location"), "/login?next=%2Fstudio%2Ffaults");
    visit(&app, &member, PAGE).await.expect(404);
    assert!(!visit(&app, &member, "/studio").await.expect(200).text().contains(PAGE));
    assert!(visit(&app, &admin, "/studio").await.expect(200).text().contains(&format!("href=\"{PAGE}\"")));
    assert!(visit(&app, &admin, PAGE).await.expect(200).text().contains("No active faults."));
    let id = app.begin(&admin, &json!({ "fault": "error", "status": 503, "route": "/api/projects", "percent": 20 })).await;
    let html = visit(&app, &admin, PAGE).await.expect(200).text();
    for shown in [
        format!("data-path=\"/api/faults/{id}\""),
        "all replicas".to_owned(),
        "20 %".to_owned(),
        "data-route=\"/studio/faults\"".to_owned(),
    ] {
        assert!(html.contains(&shown), "{shown}: {html}");
    }
    assert!(!html.contains("<option>/health") && html.contains("<option>/api/projects</option>"), "{html}");
}

#[tokio::test]
async fn an_operator_makes_an_account_an_admin_and_replicas_apply_the_role() {
    let app = TestApp::with_faults(&[]).await;
    let ada = app.user("ada").await;
    let role = async || app.me(&ada.token).await.expect(200).json()["role"].clone();
    assert_eq!(role().await, "member");
    let (database, redis) = (app.stores.database_url(), app.stores.redis_url());
    let listening = app.address.to_string();
    let variables = [
        ("DATABASE_URL", database.as_str()),
        ("REDIS_URL", redis.as_str()),
        ("REDIS_KEY_PREFIX", app.stores.prefix()),
        // A command in a replica's container inherits this variable. The command must not listen on the replica's address.
        ("LISTEN_ADDRESS", listening.as_str()),
    ];
    let output = run(&["grant-admin", "nobody@example.com"], &variables);
    assert!(!output.status.success());
    assert!(output_text(&output).contains("no account has the e-mail nobody@example.com"), "{}", output_text(&output));
    let output = run(&["grant-admin", "Ada@example.com"], &variables);
    assert!(output.status.success(), "{}", output_text(&output));
    eventually("the replica applies the new role", async || when(role().await == "admin")).await;
    app.as_user(&ada, Method::GET, LIST).answer().await.expect(200);
    for wrong in [&["grant-admin"][..], &["serve", "ada@example.com"], &["migrate", "ada@example.com"]] {
        assert!(!run(wrong, &variables).status.success(), "{wrong:?}");
    }
}

#[tokio::test]
async fn the_log_shows_when_a_fault_is_requested_starts_ends_and_expires() {
    let stores = Stores::new().await;
    let program = Program::serve(&stores, &[("FAULTS", "true")]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = |path: &str| format!("http://{}{path}", program.address);
    eventually("the replica is ready", async || when(client.get(url("/health/ready")).answer().await.status == 200)).await;
    let (email, password) = ("ada@example.com", PASSWORD);
    let account = json!({ "email": email, "password": password, "display_name": "Ada" });
    client.post(url("/api/auth/register")).json(&account).answer().await.expect(201);
    stores.execute("UPDATE users SET role = 'admin'").await;
    let signed_in = client.post(url("/api/auth/login")).json(&json!({ "email": email, "password": password })).answer().await.expect(200);
    let token = signed_in.json()["token"].as_str().unwrap().to_owned();
    let order = async |id: Uuid, order: Value| {
        client.put(url(&format!("{LIST}/{id}"))).bearer_auth(&token).json(&order).answer().await.expect(201);
    };
    let (ended, expired) = (Uuid::new_v4(), Uuid::new_v4());
    order(ended, json!({ "fault": "panic", "route": "/version", "expires_in": 60 })).await;
    order(expired, json!({ "fault": "driver", "operation": "pull", "expires_in": 1 })).await;
    let until_logged = async |message: &str, id: Uuid| {
        let is_logged = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["body"] == message && line["severity_text"] == "WARN" && line["attributes"]["id"] == id.to_string()
        };
        eventually(&format!("{message} is logged for {id}"), async || when(program.log().lines().any(is_logged))).await;
    };
    until_logged("fault started", ended).await;
    until_logged("fault started", expired).await;
    until_logged("fault expired", expired).await;
    client.delete(url(&format!("{LIST}/{ended}"))).bearer_auth(&token).answer().await.expect(204);
    until_logged("fault ended", ended).await;
    assert!(program.log().contains("fault requested"), "{}", program.log());
}
