//! Tests in which Redis is stopped, frozen, disconnected or emptied, or has wrong data. Responses may be slower but stay correct. Sessions
//! and memberships that ended meanwhile stay ended.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::through;
use crate::support::{Ask, Mode, Proxy, RECOVERY, Stores, TestApp, User, eventually, when, within};

/// A replica that reaches Redis through a proxy, a replica that reaches the same Redis directly, and a user with a project.
struct Fixture {
    proxied: TestApp,
    healthy: TestApp,
    redis: Proxy,
    ada: User,
    path: String,
}

impl Fixture {
    async fn new() -> Self {
        let stores = Stores::new().await;
        let redis = Proxy::before(&stores.redis_url(), Mode::Pass).await;
        let proxied = TestApp::on(&stores, &[&through("redis-url", &stores.redis_url(), redis.address)]).await;
        let healthy = TestApp::on(&stores, &[]).await;
        proxied.until_status(RECOVERY, "ready").await;
        healthy.until_status(RECOVERY, "ready").await;
        let ada = proxied.user("ada").await;
        let project = proxied.project(&ada, "name 0", "private").await;
        let path = format!("/api/projects/{}", project["id"].as_str().unwrap());
        Self { proxied, healthy, redis, ada, path }
    }

    async fn read(&self, app: &TestApp) -> Value {
        app.as_user(&self.ada, Method::GET, &self.path).timeout(Duration::from_secs(3)).answer().await.expect(200).json()
    }

    async fn rename(&self, app: &TestApp, name: &str) {
        let change = app.as_user(&self.ada, Method::PATCH, &self.path).header("if-match", "*").json(&json!({ "name": name }));
        change.answer().await.expect(200);
    }

    /// Asserts that requests succeed with correct data, and that the cache counts errors and no hits.
    async fn assert_continues(&self, name: &str) {
        let before = self.proxied.settled().await;
        self.read(&self.proxied).await;
        self.rename(&self.proxied, name).await;
        assert_eq!(self.read(&self.proxied).await["name"], name);
        join_all((0..20).map(|_| self.read(&self.proxied))).await;
        let after = self.proxied.settled().await;
        for kind in ["session", "user", "project"] {
            assert!(after.since(&before, "cache_errors_total", &[("cache_type", kind)]) >= 20.0, "{kind}");
        }
        assert_eq!(after.since(&before, "api_errors_total", &[]), 0.0);
        assert_eq!(after.since(&before, "cache_hits_total", &[]), 0.0);
        assert_eq!(after.get("redis_connections_active", &[("role", "commands")]), 0.0);
    }

    /// Asserts that the cache is used again and contains nothing outdated.
    async fn assert_recovers(&self, name: &str) {
        self.proxied.until_status(RECOVERY, "ready").await;
        for app in [&self.proxied, &self.healthy] {
            assert_eq!(self.read(app).await["name"], name);
        }
        within(RECOVERY, "the cache is used again", async || {
            let before = self.proxied.settled().await;
            assert_eq!(self.read(&self.proxied).await["name"], name);
            let after = self.proxied.settled().await;
            // The hits of the project are not checked: its tombstone keeps it out of the cache for some seconds after the change.
            when(["session", "user"].iter().all(|kind| after.since(&before, "cache_hits_total", &[("cache_type", kind)]) == 1.0))
        })
        .await;
        assert_eq!(self.proxied.scrape().await.get("redis_connections_active", &[("role", "commands")]), 1.0);
    }
}

#[tokio::test]
async fn requests_succeed_while_redis_is_stopped_and_afterwards() {
    let fixture = Fixture::new().await;
    fixture.read(&fixture.proxied).await;
    let before = fixture.proxied.settled().await;
    fixture.redis.set(Mode::Refuse).await;
    fixture.proxied.until_status(RECOVERY, "degraded").await;
    fixture.assert_continues("name 1").await;
    fixture.redis.set(Mode::Pass).await;
    fixture.assert_recovers("name 1").await;
    let after = fixture.proxied.settled().await;
    assert!(after.since(&before, "redis_commands_total", &[("command", "connect"), ("status", "error")]) >= 1.0);
    assert!(after.since(&before, "system_errors_total", &[("error_type", "redis"), ("severity", "warning")]) >= 1.0);
}

#[tokio::test]
async fn requests_succeed_while_redis_hangs_and_afterwards() {
    let fixture = Fixture::new().await;
    fixture.read(&fixture.proxied).await;
    fixture.redis.set(Mode::Hang).await;
    // The first request waits until its command times out; later requests do not wait.
    fixture.read(&fixture.proxied).await;
    fixture.proxied.until_status(RECOVERY, "degraded").await;
    fixture.assert_continues("name 1").await;
    fixture.redis.set(Mode::Pass).await;
    fixture.assert_recovers("name 1").await;
}

#[tokio::test]
async fn broken_or_lost_connections_to_redis_affect_no_request() {
    let fixture = Fixture::new().await;
    for round in 0..4 {
        let name = format!("name {}", round + 1);
        fixture.read(&fixture.proxied).await;
        if round % 2 == 0 {
            fixture.redis.cut();
        } else {
            fixture.redis.lose();
        }
        fixture.rename(&fixture.proxied, &name).await;
        assert_eq!(fixture.read(&fixture.proxied).await["name"], name);
        fixture.assert_recovers(&name).await;
    }
    assert_eq!(fixture.proxied.settled().await.get("api_errors_total", &[("status", "500")]), 0.0);
}

#[tokio::test]
async fn an_emptied_redis_or_one_with_wrong_data_affects_no_request() {
    let fixture = Fixture::new().await;
    fixture.read(&fixture.proxied).await;
    let mut redis = fixture.proxied.stores.redis().await;
    let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{}*", fixture.proxied.stores.prefix())).query_async(&mut redis).await.unwrap();
    assert!(!keys.is_empty());
    for key in &keys {
        // The key is no longer a string, so Redis rejects the `SET … NX GET` with which the cache stores an entry.
        redis::pipe().del(key).lpush(key, "x").query_async::<()>(&mut redis).await.unwrap();
    }
    let before = fixture.proxied.settled().await;
    fixture.read(&fixture.proxied).await;
    let after = fixture.proxied.settled().await;
    assert_eq!(after.since(&before, "cache_errors_total", &[]), 3.0);
    let commands = after.get("redis_connections_active", &[("role", "commands")]);
    assert_eq!(commands, 1.0, "a failed command must not count as a failed connection");
    for key in &keys {
        redis::cmd("SET").arg(key).arg("{\"not\": \"ours\"}").query_async::<()>(&mut redis).await.unwrap();
    }
    assert_eq!(fixture.read(&fixture.proxied).await["name"], "name 0");
    for key in &keys {
        redis::cmd("DEL").arg(key).query_async::<()>(&mut redis).await.unwrap();
    }
    assert_eq!(fixture.read(&fixture.proxied).await["name"], "name 0");
    fixture.rename(&fixture.healthy, "name 1").await;
    fixture.assert_recovers("name 1").await;
}

/// Ends a session on the proxied replica while that replica cannot reach Redis. Asserts that the proxied replica never accepts the session
/// again, and that the healthy replica refuses the session after the proxied replica has begun to use Redis again.
async fn assert_revocation_survives(failure: Mode) {
    let fixture = Fixture::new().await;
    let token = &fixture.ada.token;
    for app in [&fixture.proxied, &fixture.healthy] {
        app.me(token).await.expect(200);
    }
    fixture.redis.set(failure).await;
    fixture.proxied.post("/api/auth/logout").bearer_auth(token).answer().await.expect(204);
    fixture.proxied.me(token).await.problem(401, "invalid_token");
    fixture.redis.set(Mode::Pass).await;
    within(RECOVERY, "the replica uses Redis again", async || {
        // The cached session must not be accepted at any moment of the recovery.
        fixture.proxied.me(token).await.problem(401, "invalid_token");
        when(fixture.proxied.scrape().await.get("redis_connections_active", &[("role", "commands")]) == 1.0)
    })
    .await;
    fixture.proxied.me(token).await.problem(401, "invalid_token");
    fixture.healthy.me(token).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_session_that_ended_while_redis_was_down_stays_invalid_when_redis_is_back() {
    assert_revocation_survives(Mode::Refuse).await;
}

#[tokio::test]
async fn a_session_that_ended_while_redis_hung_stays_invalid_when_redis_continues() {
    assert_revocation_survives(Mode::Hang).await;
}

#[tokio::test]
async fn many_sessions_that_ended_while_redis_was_down_are_all_invalidated() {
    let fixture = Fixture::new().await;
    let mut tokens = vec![fixture.ada.token.clone()];
    for _ in 0..5 {
        tokens.push(fixture.proxied.token(&fixture.ada.email).await);
    }
    join_all(tokens.iter().map(|token| fixture.healthy.me(token))).await;
    fixture.redis.set(Mode::Refuse).await;
    fixture.proxied.until_status(RECOVERY, "degraded").await;
    fixture.proxied.post("/api/auth/logout-all").bearer_auth(&fixture.ada.token).answer().await.expect(204);
    fixture.redis.set(Mode::Pass).await;
    fixture.proxied.until_status(RECOVERY, "ready").await;
    for app in [&fixture.proxied, &fixture.healthy] {
        for token in &tokens {
            app.me(token).await.problem(401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn a_member_who_was_removed_while_redis_was_down_stays_removed_when_redis_is_back() {
    let fixture = Fixture::new().await;
    let bob = fixture.healthy.user("bob").await;
    let id = fixture.path.rsplit('/').next().unwrap();
    fixture.healthy.add_member(&fixture.ada, id, &bob, "viewer").await.expect(201);
    let read = async |app: &TestApp| app.as_user(&bob, Method::GET, &fixture.path).answer().await;
    for app in [&fixture.proxied, &fixture.healthy] {
        read(app).await.expect(200);
    }
    fixture.redis.set(Mode::Refuse).await;
    fixture.proxied.as_user(&fixture.ada, Method::DELETE, &format!("{}/members/{}", fixture.path, bob.id)).answer().await.expect(204);
    read(&fixture.proxied).await.problem(404, "not_found");
    fixture.redis.set(Mode::Pass).await;
    fixture.proxied.until_status(RECOVERY, "ready").await;
    for app in [&fixture.proxied, &fixture.healthy] {
        read(app).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn requests_get_a_response_in_time_while_both_stores_hang() {
    let stores = Stores::new().await;
    let postgres = Proxy::before(&stores.database_url(), Mode::Pass).await;
    let redis = Proxy::before(&stores.redis_url(), Mode::Pass).await;
    let arguments =
        [through("database-url", &stores.database_url(), postgres.address), through("redis-url", &stores.redis_url(), redis.address)];
    let app = TestApp::on(&stores, &arguments.each_ref().map(String::as_str)).await;
    let ada = app.user("ada").await;
    app.me(&ada.token).await.expect(200);
    postgres.set(Mode::Hang).await;
    redis.set(Mode::Hang).await;
    let answers =
        join_all((0..10).map(|_| app.get("/api/auth/me").bearer_auth(&ada.token).timeout(Duration::from_secs(3)).try_answer())).await;
    for answer in answers {
        let status = answer.expect("no response within the client's time limit").status;
        assert!(matches!(status, 200 | 503), "{status}");
    }
    app.get("/health/live").answer().await.expect(200);
    redis.set(Mode::Pass).await;
    postgres.set(Mode::Pass).await;
    within(RECOVERY, "the session is accepted again", async || when(app.me(&ada.token).await.status == 200)).await;
    eventually("no connection of the pool is in use", async || {
        when(app.scrape().await.get("db_connection_pool_size", &[("state", "used")]) == 0.0)
    })
    .await;
}
