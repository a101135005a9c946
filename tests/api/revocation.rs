//! Every replica refuses a revoked session or role as soon as the client receives the response to the revocation, even if the revoking
//! replica cannot reach Redis or dies, or another replica is cut off.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use vitrine::app::App;

use crate::support::app::{configuration, through};
use crate::support::{Ask, Mode, Proxy, RECOVERY, Stores, TestApp, User, eventually, when, within};

/// Time limit for a revocation whose replica dies before it responds, just above the 4 s that `docs/adr/0018-revocation.md` promises.
const WITHOUT_A_RESPONSE: Duration = Duration::from_secs(5);
/// Extra time for a busy machine.
const SLACK: Duration = Duration::from_secs(5);

/// A replica that reaches its stores through proxies, two replicas without proxies, and a user with a project.
struct RevocationFixture {
    stores: Stores,
    proxied: TestApp,
    healthy: [TestApp; 2],
    redis: Proxy,
    postgres: Proxy,
    ada: User,
    project: String,
}

impl RevocationFixture {
    async fn start() -> Self {
        let stores = Stores::new().await;
        let redis = Proxy::before(&stores.redis_url(), Mode::Pass).await;
        let postgres = Proxy::before(&stores.database_url(), Mode::Pass).await;
        let through_proxies =
            [through("redis-url", &stores.redis_url(), redis.address), through("database-url", &stores.database_url(), postgres.address)];
        let proxied = TestApp::on(&stores, &through_proxies.each_ref().map(String::as_str)).await;
        let healthy = [TestApp::on(&stores, &[]).await, TestApp::on(&stores, &[]).await];
        for app in healthy.iter().chain([&proxied]) {
            app.until_status(RECOVERY, "ready").await;
        }
        let ada = healthy[0].user("ada").await;
        let project = healthy[0].project(&ada, "One", "private").await["id"].as_str().unwrap().to_owned();
        Self { stores, proxied, healthy, redis, postgres, ada, project }
    }

    fn path(&self) -> String {
        format!("/api/projects/{}", self.project)
    }

    /// Waits until the healthy replicas serve this request from the caches. They cache an entry again only some seconds
    /// after its invalidation.
    async fn cache(&self, kinds: &[&str], request: impl Fn(&TestApp) -> RequestBuilder) {
        for app in &self.healthy {
            eventually("the request is served from the caches", async || {
                let before = app.settled().await;
                request(app).answer().await.expect(200);
                let after = app.settled().await;
                when(kinds.iter().all(|kind| after.since(&before, "cache_hits_total", &[("cache_type", kind)]) == 1.0))
            })
            .await;
        }
    }

    async fn cache_session(&self, token: &str) {
        self.cache(&["session", "user"], |app| app.get("/api/auth/me").bearer_auth(token)).await;
    }

    async fn log_out(&self, token: &str) {
        self.proxied.post("/api/auth/logout").bearer_auth(token).answer().await.expect(204);
    }
}

#[tokio::test]
async fn a_replica_that_cannot_reach_redis_ends_a_session_on_every_replica_before_the_logout_is_answered() {
    let fixture = RevocationFixture::start().await;
    for failure in [Mode::Refuse, Mode::Hang] {
        fixture.redis.set(Mode::Pass).await;
        fixture.proxied.until_status(RECOVERY, "ready").await;
        let token = fixture.healthy[0].token(&fixture.ada.email).await;
        fixture.cache_session(&token).await;
        fixture.redis.set(failure).await;
        fixture.log_out(&token).await;
        for app in fixture.healthy.iter().chain([&fixture.proxied]) {
            app.me(&token).await.problem(401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_on_every_replica() {
    let fixture = RevocationFixture::start().await;
    let mut tokens = vec![fixture.ada.token.clone()];
    for _ in 0..5 {
        tokens.push(fixture.healthy[0].token(&fixture.ada.email).await);
    }
    for token in &tokens {
        fixture.cache_session(token).await;
    }
    fixture.redis.set(Mode::Refuse).await;
    fixture.proxied.post("/api/auth/logout-all").bearer_auth(&tokens[0]).answer().await.expect(204);
    for token in &tokens {
        for app in &fixture.healthy {
            app.me(token).await.problem(401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn a_replica_that_dies_after_its_response_loses_no_revocation() {
    let fixture = RevocationFixture::start().await;
    fixture.cache_session(&fixture.ada.token).await;
    fixture.redis.set(Mode::Refuse).await;
    fixture.log_out(&fixture.ada.token).await;
    let RevocationFixture { proxied, healthy, ada, .. } = fixture;
    drop(proxied);
    for app in &healthy {
        app.me(&ada.token).await.problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_replica_that_dies_between_its_commit_and_its_response_loses_no_revocation() {
    let fixture = RevocationFixture::start().await;
    fixture.cache_session(&fixture.ada.token).await;
    fixture.redis.set(Mode::Refuse).await;
    // Holds back the completion tag of COMMIT: Postgres commits the change, but the replica receives no confirmation.
    fixture.postgres.set(Mode::HoldAnswersWith(b"COMMIT\0".to_vec())).await;
    let RevocationFixture { stores, proxied, healthy, ada, .. } = fixture;
    let logout = tokio::spawn(proxied.post("/api/auth/logout").bearer_auth(&ada.token).send());
    eventually("the session is ended", async || when(stores.count("SELECT count(*) FROM auth_sessions").await == 0)).await;
    drop(proxied);
    logout.abort();
    within(WITHOUT_A_RESPONSE + SLACK, "every replica refuses the session", async || {
        let mut refused = 0;
        for app in &healthy {
            refused += usize::from(app.me(&ada.token).await.status == 401);
        }
        when(refused == healthy.len())
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_reaches_only_redis_does_not_serve_revoked_data() {
    let stores = Stores::new().await;
    let [redis, postgres] = [Proxy::before(&stores.redis_url(), Mode::Pass).await, Proxy::before(&stores.database_url(), Mode::Pass).await];
    let without_redis = TestApp::on(&stores, &[&through("redis-url", &stores.redis_url(), redis.address)]).await;
    let without_postgres = TestApp::on(&stores, &[&through("database-url", &stores.database_url(), postgres.address)]).await;
    without_redis.until_status(RECOVERY, "ready").await;
    for failure in [Mode::Hang, Mode::Refuse] {
        let ada = without_redis.user(&format!("ada-{failure:?}")).await;
        without_postgres.me(&ada.token).await.expect(200);
        redis.set(Mode::Refuse).await;
        postgres.set(failure).await;
        without_redis.post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
        without_postgres.me(&ada.token).await.problem(503, "unavailable");
        redis.set(Mode::Pass).await;
        postgres.set(Mode::Pass).await;
        within(RECOVERY + SLACK, "the session is refused", async || when(without_postgres.me(&ada.token).await.status == 401)).await;
        without_redis.until_status(RECOVERY, "ready").await;
    }
}

#[tokio::test]
async fn a_value_loaded_before_a_revocation_is_neither_cached_nor_shared_after_it() {
    // With Redis, the replica could cache the old value. Without Redis, a later request could still share the load of the old value.
    for mode_of_loader in [Mode::Pass, Mode::Refuse] {
        let stores = Stores::new().await;
        let [redis, redis_of_loader] =
            [Proxy::before(&stores.redis_url(), Mode::Pass).await, Proxy::before(&stores.redis_url(), Mode::Pass).await];
        let postgres = Proxy::before(&stores.database_url(), Mode::Pass).await;
        let revoking = TestApp::on(&stores, &[&through("redis-url", &stores.redis_url(), redis.address)]).await;
        let arguments = [
            through("database-url", &stores.database_url(), postgres.address),
            through("redis-url", &stores.redis_url(), redis_of_loader.address),
            "--database-statement-timeout=15s".to_owned(),
        ];
        let loading = TestApp::on(&stores, &arguments.each_ref().map(String::as_str)).await;
        let ada = revoking.user("ada").await;
        let session: uuid::Uuid = sqlx::query_scalar("SELECT id FROM auth_sessions").fetch_one(stores.pool()).await.unwrap();
        redis.set(Mode::Refuse).await;
        redis_of_loader.set(mode_of_loader.clone()).await;
        let status_of_loader = if mode_of_loader == Mode::Pass { "ready" } else { "degraded" };
        loading.until_status(RECOVERY, status_of_loader).await;

        postgres.set(Mode::HoldAnswersWith(session.as_bytes().to_vec())).await;
        let load = tokio::spawn(loading.get("/api/auth/me").bearer_auth(&ada.token).send());
        postgres.until_holding().await;
        revoking.post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
        loading.me(&ada.token).await.problem(401, "invalid_token");
        postgres.set(Mode::Pass).await;
        // The request began before the revocation, so either response is correct.
        assert!(matches!(load.await.unwrap().unwrap().status().as_u16(), 200 | 401));
        loading.me(&ada.token).await.problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_replica_that_cannot_reach_redis_removes_a_member_on_every_replica_before_the_removal_is_answered() {
    let fixture = RevocationFixture::start().await;
    let bob = fixture.healthy[0].user("bob").await;
    let (ada, path, id) = (&fixture.ada, fixture.path(), &fixture.project);
    let rename = async |app: &TestApp| {
        app.as_user(&bob, Method::PATCH, &path).header("if-match", "*").json(&json!({ "name": "Bob's" })).answer().await
    };
    let read = async |app: &TestApp| app.as_user(&bob, Method::GET, &path).answer().await;
    fixture.healthy[0].add_member(ada, id, &bob, "editor").await.expect(201);
    let as_bob = |app: &TestApp| app.as_user(&bob, Method::GET, &path);
    fixture.cache(&["project"], as_bob).await;
    assert_eq!(read(&fixture.healthy[0]).await.expect(200).json()["role"], "editor");
    fixture.redis.set(Mode::Refuse).await;
    fixture.proxied.add_member(ada, id, &bob, "viewer").await.expect(201);
    for app in &fixture.healthy {
        assert_eq!(read(app).await.expect(200).json()["role"], "viewer");
        rename(app).await.problem(403, "forbidden");
    }
    fixture.cache(&["project"], as_bob).await;
    fixture.proxied.delete(&format!("{path}/members/{}", bob.id)).bearer_auth(&ada.token).answer().await.expect(204);
    for app in &fixture.healthy {
        read(app).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_replica_that_cannot_reach_redis_removes_a_project_from_the_showcase_of_every_replica() {
    let fixture = RevocationFixture::start().await;
    let publish = format!("{}/publish", fixture.path());
    fixture.healthy[0].post(&publish).bearer_auth(&fixture.ada.token).json(&json!({ "slug": "one" })).answer().await.expect(200);
    for path in ["/api/showcase", "/api/showcase/one"] {
        fixture.cache(&["showcase"], |app| app.get(path)).await;
    }
    fixture.redis.set(Mode::Refuse).await;
    fixture.proxied.delete(&publish).bearer_auth(&fixture.ada.token).answer().await.expect(200);
    for app in &fixture.healthy {
        app.get("/api/showcase/one").answer().await.problem(404, "not_found");
        assert_eq!(app.get("/api/showcase").answer().await.expect(200).json()["items"], json!([]));
    }
}

#[tokio::test]
async fn an_admin_role_granted_without_redis_applies_on_every_replica() {
    let fixture = RevocationFixture::start().await;
    let bob = fixture.healthy[0].user("bob").await;
    // Apart from members, only admins may read a private project.
    let read = async |app: &TestApp| app.as_user(&bob, Method::GET, &fixture.path()).answer().await;
    for app in &fixture.healthy {
        read(app).await.problem(404, "not_found");
    }
    fixture.redis.set(Mode::Refuse).await;
    let config = configuration(&fixture.stores, &[&through("redis-url", &fixture.stores.redis_url(), fixture.redis.address)]);
    App::build(config).unwrap().grant_admin(&bob.email).await.unwrap();
    for app in &fixture.healthy {
        read(app).await.expect(200);
    }
}

#[tokio::test]
async fn a_session_ends_on_every_replica_while_redis_is_unavailable_to_all() {
    let stores = Stores::new().await;
    let redis = Proxy::before(&stores.redis_url(), Mode::Refuse).await;
    let argument = through("redis-url", &stores.redis_url(), redis.address);
    let replicas = [TestApp::on(&stores, &[&argument]).await, TestApp::on(&stores, &[&argument]).await];
    let ada = replicas[0].user("ada").await;
    for app in &replicas {
        app.me(&ada.token).await.expect(200);
    }
    replicas[0].post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
    for app in &replicas {
        app.me(&ada.token).await.problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn applied_revocations_and_rows_of_stopped_replicas_are_deleted() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
    assert_eq!(app.stores.count("SELECT count(*) FROM cache_invalidations").await, 1);
    app.stores.execute("UPDATE cache_invalidations SET created_at = now() - interval '1 hour'").await;
    let killed = "INSERT INTO cache_readers (replica, trusts_until) VALUES (gen_random_uuid(), now() - interval '1 hour')";
    app.stores.execute(killed).await;
    let rows = "SELECT (SELECT count(*) FROM cache_invalidations) + (SELECT count(*) FROM cache_readers)";
    eventually("only the running replica's row is left", async || when(app.stores.count(rows).await == 1)).await;
    let stores = app.stores.clone();
    app.leave().await.unwrap();
    assert_eq!(stores.count(rows).await, 0);
}
