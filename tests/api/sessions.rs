//! Sessions of accounts: their list, how they end, the refusal of ended sessions on every replica, invalid tokens, and shared loads.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::app::through;
use crate::support::users::PASSWORD;
use crate::support::{Ask, Mode, Proxy, Stores, TestApp, eventually, when};

#[tokio::test]
async fn the_list_of_sessions_names_devices_and_marks_the_current_session() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let phone = json!({ "email": ada.email, "password": PASSWORD, "device": " phone " });
    let phone = app.post("/api/auth/login").json(&phone).answer().await.expect(200).json();

    let list = app.as_user(&ada, Method::GET, "/api/auth/sessions").answer().await.expect(200).json();
    let seen: Vec<_> = list["items"].as_array().unwrap().iter().map(|entry| (entry["device"].clone(), entry["current"].clone())).collect();
    assert_eq!(seen, [(json!("phone"), json!(false)), (json!(""), json!(true))]);
    assert_eq!(list["next_cursor"], Value::Null);
    assert!(!list.to_string().contains(&ada.token), "a list must not contain tokens");

    let id = list["items"][0]["id"].as_str().unwrap();
    app.as_user(&ada, Method::DELETE, &format!("/api/auth/sessions/{id}")).answer().await.expect(204);
    app.me(phone["token"].as_str().unwrap()).await.problem(401, "invalid_token");
    app.me(&ada.token).await.expect(200);
    app.as_user(&ada, Method::DELETE, &format!("/api/auth/sessions/{id}")).answer().await.problem(404, "not_found");
}

#[tokio::test]
async fn a_user_cannot_end_a_session_of_another_account() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let list = app.as_user(&ada, Method::GET, "/api/auth/sessions").answer().await.expect(200).json();
    let id = list["items"][0]["id"].as_str().unwrap();
    app.as_user(&eve, Method::DELETE, &format!("/api/auth/sessions/{id}")).answer().await.problem(404, "not_found");
    app.me(&ada.token).await.expect(200);
}

#[tokio::test]
async fn a_logout_ends_one_session_and_logout_all_ends_all_of_the_account() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let (second, third) = (app.token(&ada.email).await, app.token(&ada.email).await);
    for token in [&ada.token, &second, &third, &eve.token] {
        app.me(token).await.expect(200);
    }

    app.post("/api/auth/logout").bearer_auth(&second).answer().await.expect(204);
    app.me(&second).await.problem(401, "invalid_token");
    app.post("/api/auth/logout").bearer_auth(&second).answer().await.problem(401, "invalid_token");
    app.me(&ada.token).await.expect(200);

    app.post("/api/auth/logout-all").bearer_auth(&third).answer().await.expect(204);
    for token in [&ada.token, &third] {
        app.me(token).await.problem(401, "invalid_token");
    }
    app.me(&eve.token).await.expect(200);
    assert_eq!(app.stores.count("SELECT count(*) FROM auth_sessions").await, 1);
}

#[tokio::test]
async fn a_session_that_is_too_old_or_was_idle_too_long_is_refused() {
    let app = TestApp::start().await;
    for (name, age) in [
        ("old", "UPDATE auth_sessions SET expires_at = now() - interval '1 second'"),
        ("idle", "UPDATE auth_sessions SET last_seen_at = now() - interval '8 days'"),
    ] {
        let ada = app.user(name).await;
        app.stores.execute(age).await;
        app.me(&ada.token).await.problem(401, "invalid_token");
        let fresh = app.token(&ada.email).await;
        let list = app.get("/api/auth/sessions").bearer_auth(&fresh).answer().await.expect(200).json();
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    }
}

#[tokio::test]
async fn a_session_expires_although_it_is_cached() {
    let app = TestApp::with(&["--session-lifetime=2s"]).await;
    let ada = app.user("ada").await;
    // A cache entry lives for up to a minute, longer than this session.
    eventually("the session has ended", async || when(app.me(&ada.token).await.status == 401)).await;
    app.me(&ada.token).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_cached_session_of_a_missing_account_is_refused_and_counted() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.me(&ada.token).await.expect(200);
    app.stores.execute("DELETE FROM users").await;
    let mut redis = app.stores.redis().await;
    let pattern = format!("{}:cache:user:*", app.stores.prefix());
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await.unwrap();
    assert_eq!(redis::cmd("DEL").arg(keys).query_async::<u64>(&mut redis).await.unwrap(), 1);
    let before = app.settled().await;
    app.me(&ada.token).await.problem(401, "invalid_token");
    let after = app.settled().await;
    assert_eq!(after.since(&before, "cache_hits_total", &[("cache_type", "session")]), 1.0);
    assert_eq!(after.since(&before, "auth_attempts_total", &[("method", "token"), ("status", "failure")]), 1.0);
}

#[tokio::test]
async fn forged_malformed_and_truncated_tokens_are_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let before = app.settled().await;
    let token = &ada.token;
    let other_end = if token.ends_with('A') { "E" } else { "A" };
    let refused = [
        "x".to_owned(),
        "A".repeat(43),
        token[..42].to_owned(),
        format!("{token}A"),
        format!("{token}="),
        format!("{}{other_end}", &token[..42]),
        token.to_lowercase(),
        "A".repeat(5000),
        Uuid::new_v4().to_string(),
        "' OR 1=1 --".to_owned(),
    ];
    for forged in &refused {
        app.me(forged).await.problem(401, "invalid_token");
        app.get("/api/auth/me").header("cookie", format!("vitrine={forged}")).answer().await.problem(401, "invalid_token");
    }
    for header in ["Bearer", "Bearer ", "Basic YWRhOmFkYQ==", "nonsense", ""] {
        app.get("/api/auth/me").header("authorization", header).answer().await.expect(401);
    }
    let hash: Vec<u8> = sqlx::query_scalar("SELECT token_hash FROM auth_sessions").fetch_one(app.stores.pool()).await.unwrap();
    let hex = hash.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    app.me(&hex).await.problem(401, "invalid_token");
    let after = app.settled().await;
    let failures = after.since(&before, "auth_attempts_total", &[("method", "token"), ("status", "failure")]);
    assert!(failures >= 2.0 * 10.0, "{failures}");
    assert_eq!(after.since(&before, "auth_attempts_total", &[("status", "success")]), 0.0);
    app.me(token).await.expect(200);
}

#[tokio::test]
async fn a_session_that_ended_on_one_replica_is_refused_at_once_by_another_that_had_it_cached() {
    let stores = Stores::new().await;
    let (one, two) = (TestApp::on(&stores, &[]).await, TestApp::on(&stores, &[]).await);
    let ada = one.user("ada").await;
    for round in 0..5 {
        let token = one.token(&ada.email).await;
        two.me(&token).await.expect(200);
        let before = two.settled().await;
        two.me(&token).await.expect(200);
        let hits = two.settled().await.since(&before, "cache_hits_total", &[("cache_type", "session")]);
        assert_eq!(hits, 1.0, "round {round}: the other replica must have cached the session");
        one.post("/api/auth/logout").bearer_auth(&token).answer().await.expect(204);
        two.me(&token).await.problem(401, "invalid_token");
        one.me(&token).await.problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_session_that_ends_while_another_replica_is_loading_it_is_refused_and_not_cached() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.database_url(), Mode::Pass).await;
    let slow = [&*through("database-url", &stores.database_url(), proxy.address), "--database-statement-timeout=15s"];
    let (one, two) = (TestApp::on(&stores, &[]).await, TestApp::on(&stores, &slow).await);
    let ada = one.user("ada").await;
    let session: Uuid = sqlx::query_scalar("SELECT id FROM auth_sessions").fetch_one(stores.pool()).await.unwrap();

    let before = two.settled().await;
    // The session ends while its row is on the way from Postgres to the other replica.
    proxy.set(Mode::HoldAnswersWith(session.as_bytes().to_vec())).await;
    let loading = two.get("/api/auth/me").bearer_auth(&ada.token).answer();
    let ending = async {
        proxy.until_holding().await;
        one.post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
        proxy.set(Mode::Pass).await;
    };
    let (loaded, ()) = tokio::join!(loading, ending);
    loaded.problem(401, "invalid_token");
    let loads = [("operation", "update"), ("table", "auth_sessions")];
    assert_eq!(two.settled().await.since(&before, "db_queries_total", &loads), 2.0, "the replica must load the session again");
    two.me(&ada.token).await.problem(401, "invalid_token");
    one.me(&ada.token).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn fifty_concurrent_requests_load_a_session_once() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let before = app.settled().await;
    let answers = futures_util::future::join_all((0..50).map(|_| app.me(&ada.token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let after = app.settled().await;
    let loads = after.since(&before, "db_queries_total", &[("operation", "update"), ("table", "auth_sessions")]);
    assert_eq!(loads, 1.0);
    let session = [("cache_type", "session")];
    let look_ups = after.since(&before, "cache_hits_total", &session) + after.since(&before, "cache_misses_total", &session);
    assert_eq!(look_ups, 50.0);
}

#[tokio::test]
async fn requests_that_wait_for_a_load_succeed_although_the_client_that_began_it_disconnects() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.database_url(), Mode::Pass).await;
    let database = through("database-url", &stores.database_url(), proxy.address);
    let app = TestApp::on(&stores, &[&database, "--database-statement-timeout=15s"]).await;
    let ada = app.user("ada").await;
    let session: Uuid = sqlx::query_scalar("SELECT id FROM auth_sessions").fetch_one(stores.pool()).await.unwrap();
    let before = app.settled().await;
    proxy.set(Mode::HoldAnswersWith(session.as_bytes().to_vec())).await;
    let ask = async || {
        let mut raw = app.raw().await;
        raw.send(format!("GET /api/auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", ada.token)).await;
        raw
    };
    let first = ask().await;
    proxy.until_holding().await;
    let mut others = [ask().await, ask().await];
    let misses = async || app.scrape().await.since(&before, "cache_misses_total", &[("cache_type", "session")]);
    eventually("the others wait for the same load", async || when(misses().await == 3.0)).await;
    // This cancels the load of the first client. One of the others then loads the session.
    drop(first);
    let cancelled = [("table", "auth_sessions"), ("status", "cancelled")];
    eventually("the first load is cancelled", async || when(app.scrape().await.since(&before, "db_queries_total", &cancelled) == 1.0))
        .await;
    proxy.set(Mode::Pass).await;
    for other in &mut others {
        other.answer().await.expect(200);
    }
}
