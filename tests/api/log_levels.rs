//! Changes of the log levels by admins, and what log lines contain.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::observed::Observed;
use crate::support::{Ask, Stores, TestApp, User, eventually, when};

const ROUTE: &str = "/api/log-levels";

/// Requests a missing route, and returns the identifier in the problem.
async fn fail(replica: &Observed) -> String {
    let answer = replica.request(Method::GET, "/nope").answer().await.problem(404, "not_found").json();
    answer["trace_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_admin_raises_the_level_of_a_target_and_resets_it() {
    let replica = Observed::new(&[]).await;
    let unseen = fail(&replica).await;
    let changed = replica.request(Method::PUT, ROUTE).json(&json!({ "levels": "info,vitrine::http=debug", "expires_in": 600 }));
    let changed = changed.answer().await.expect(200).json();
    assert_eq!((&changed["levels"], &changed["configured"]), (&json!("info,vitrine::http=debug"), &json!("info")));
    assert_eq!(replica.request(Method::GET, ROUTE).answer().await.expect(200).json(), changed);
    let line = replica.line_of("request refused", &fail(&replica).await).await;
    assert_eq!((&line["severity_text"], &line["severity_number"]), (&json!("DEBUG"), &json!(5)));
    assert_eq!((&line["scope"], &line["attributes"]["code"]), (&json!("vitrine::http::error"), &json!("not_found")));
    replica.request(Method::DELETE, ROUTE).answer().await.expect(204);
    assert_eq!(replica.request(Method::GET, ROUTE).answer().await.expect(200).json(), json!({ "levels": "info", "configured": "info" }));
    let last = fail(&replica).await;
    for unseen in [unseen, last] {
        assert!(replica.lines("request refused").iter().all(|line| line["trace_id"] != unseen));
    }
    replica.request(Method::PUT, ROUTE).json(&json!({ "levels": "debug", "expires_in": 1 })).answer().await.expect(200);
    eventually("the change expires", async || {
        when(replica.request(Method::GET, ROUTE).answer().await.expect(200).json()["expires_at"].is_null())
    })
    .await;
}

#[tokio::test]
async fn a_change_reaches_every_replica() {
    let stores = Stores::new().await;
    let (one, other) = (TestApp::on(&stores, &[]).await, TestApp::on(&stores, &[]).await);
    let user = one.user("ada").await;
    stores.execute("UPDATE users SET role = 'admin'").await;
    let admin = User { token: one.token(&user.email).await, ..user };
    let put = one.as_user(&admin, Method::PUT, ROUTE).json(&json!({ "levels": "error", "expires_in": 60 }));
    let change = put.answer().await.expect(200).json();
    eventually("the other replica has the same levels", async || {
        when(other.as_user(&admin, Method::GET, ROUTE).answer().await.expect(200).json() == change)
    })
    .await;
}

#[tokio::test]
async fn other_texts_are_refused_and_change_nothing() {
    let app = TestApp::start().await;
    let user = app.user("ada").await;
    app.stores.execute("UPDATE users SET role = 'admin'").await;
    let admin = User { token: app.token(&user.email).await, ..user };
    for levels in ["", "loud", "vitrine", "vitrine=loud", "info,", "[span]=info", "info;warn", &"info,".repeat(200)] {
        let put = app.as_user(&admin, Method::PUT, ROUTE).json(&json!({ "levels": levels, "expires_in": 60 }));
        let answer = put.answer().await.problem(422, "validation_failed");
        assert_eq!(answer.field_code("levels").as_deref(), Some("invalid"), "{levels}");
    }
    for seconds in [0, 3601] {
        let put = app.as_user(&admin, Method::PUT, ROUTE).json(&json!({ "levels": "info", "expires_in": seconds }));
        assert_eq!(put.answer().await.problem(422, "validation_failed").field_code("expires_in").as_deref(), Some("out_of_range"));
    }
    let now = app.as_user(&admin, Method::GET, ROUTE).answer().await.expect(200).json();
    assert_eq!(now["levels"], now["configured"]);
}

#[tokio::test]
async fn an_access_line_names_the_request_without_its_path() {
    let replica = Observed::new(&[("ACCESS_LOG_SAMPLE", "1")]).await;
    let id = Uuid::new_v4();
    let path = format!("/api/projects/{}?limit=secret", Uuid::new_v4());
    replica.request(Method::GET, &path).header("x-request-id", id.to_string()).answer().await.expect(404);
    let line = replica.line_of("request answered", &id.simple().to_string()).await;
    let attributes = &line["attributes"];
    assert_eq!(
        [&attributes["http.request.method"], &attributes["http.route"], &attributes["http.response.status_code"]],
        [&json!("GET"), &json!("/api/projects/{id}"), &json!(404)]
    );
    assert!(attributes["duration"].as_f64().is_some() && line["span_id"].as_str().is_some_and(|span| span.len() == 16), "{line}");
    assert!(!line.to_string().contains("secret"), "{line}");
}

#[tokio::test]
async fn no_access_line_is_written_by_default() {
    let replica = Observed::new(&[]).await;
    fail(&replica).await;
    replica.request(Method::PUT, ROUTE).json(&json!({ "levels": "info", "expires_in": 60 })).answer().await.expect(200);
    eventually("the log has the change", async || when(!replica.lines("log levels changed").is_empty())).await;
    assert!(replica.lines("request answered").is_empty());
}
