//! A revoked session or role is refused by every replica once the revocation is answered, even if the revoking replica cannot reach Redis
//! or dies, or if another replica is unreachable.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use vitrine::app::App;

use crate::support::app::{configuration, through};
use crate::support::{Ask, Mode, Proxy, RECOVERY, Stores, TestApp, User, eventually, when, within};

/// The limit where a replica could not answer its client and the others find out by themselves: promised by `docs/adr/0018-revocation.md`.
const WITHOUT_AN_ANSWER: Duration = Duration::from_secs(5);
/// Extra time for a busy machine.
const SLACK: Duration = Duration::from_secs(5);

/// A replica behind proxies, two undisturbed ones, and a user with a project.
struct RevocationFixture {
    stores: Stores,
    fragile: TestApp,
    sound: [TestApp; 2],
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
        let fragile = TestApp::on(&stores, &through_proxies.each_ref().map(String::as_str)).await;
        let sound = [TestApp::on(&stores, &[]).await, TestApp::on(&stores, &[]).await];
        for app in sound.iter().chain([&fragile]) {
            app.until_status(RECOVERY, "ready").await;
        }
        let ada = sound[0].user("ada").await;
        let project = sound[0].project(&ada, "One", "private").await["id"].as_str().unwrap().to_owned();
        Self { stores, fragile, sound, redis, postgres, ada, project }
    }

    fn path(&self) -> String {
        format!("/api/projects/{}", self.project)
    }

    /// Waits until the other replicas serve this request from the caches, which omit recently changed entries for some seconds.
    async fn cache(&self, kinds: &[&str], request: impl Fn(&TestApp) -> RequestBuilder) {
        for app in &self.sound {
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
        self.fragile.post("/api/auth/logout").bearer_auth(token).answer().await.expect(204);
    }
}

#[tokio::test]
async fn a_replica_that_cannot_reach_redis_ends_a_session_on_every_replica_before_it_answers() {
    let fixture = RevocationFixture::start().await;
    for failure in [Mode::Refuse, Mode::Hang] {
        fixture.redis.set(Mode::Pass).await;
        fixture.fragile.until_status(RECOVERY, "ready").await;
        let token = fixture.sound[0].token(&fixture.ada.email).await;
        fixture.cache_session(&token).await;
        fixture.redis.set(failure).await;
        fixture.log_out(&token).await;
        for app in fixture.sound.iter().chain([&fixture.fragile]) {
            app.me(&token).await.problem(401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn every_session_that_is_ended_at_once_is_refused_by_every_replica() {
    let fixture = RevocationFixture::start().await;
    let mut tokens = vec![fixture.ada.token.clone()];
    for _ in 0..5 {
        tokens.push(fixture.sound[0].token(&fixture.ada.email).await);
    }
    for token in &tokens {
        fixture.cache_session(token).await;
    }
    fixture.redis.set(Mode::Refuse).await;
    fixture.fragile.post("/api/auth/logout-all").bearer_auth(&tokens[0]).answer().await.expect(204);
    for token in &tokens {
        for app in &fixture.sound {
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
    let RevocationFixture { fragile, sound, ada, .. } = fixture;
    drop(fragile);
    for app in &sound {
        app.me(&ada.token).await.problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_replica_that_dies_between_its_commit_and_its_response_loses_no_revocation() {
    let fixture = RevocationFixture::start().await;
    fixture.cache_session(&fixture.ada.token).await;
    fixture.redis.set(Mode::Refuse).await;
    // The completion tag of the commit: the change is committed, but this replica never learns of it.
    fixture.postgres.set(Mode::HoldAnswersWith(b"COMMIT\0".to_vec())).await;
    let RevocationFixture { stores, fragile, sound, ada, .. } = fixture;
    let logout = tokio::spawn(fragile.post("/api/auth/logout").bearer_auth(&ada.token).send());
    eventually("the session is ended", async || when(stores.count("SELECT count(*) FROM auth_sessions").await == 0)).await;
    drop(fragile);
    logout.abort();
    within(WITHOUT_AN_ANSWER + SLACK, "every replica refuses the session", async || {
        let mut refused = 0;
        for app in &sound {
            refused += usize::from(app.me(&ada.token).await.status == 401);
        }
        when(refused == sound.len())
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
async fn a_load_that_began_before_a_revocation_is_neither_kept_nor_shared_afterwards() {
    // With Redis a loaded value is stored; without it, concurrent requests share the load.
    for its_redis in [Mode::Pass, Mode::Refuse] {
        let stores = Stores::new().await;
        let [redis, other_redis] =
            [Proxy::before(&stores.redis_url(), Mode::Pass).await, Proxy::before(&stores.redis_url(), Mode::Pass).await];
        let postgres = Proxy::before(&stores.database_url(), Mode::Pass).await;
        let revoking = TestApp::on(&stores, &[&through("redis-url", &stores.redis_url(), redis.address)]).await;
        let arguments = [
            through("database-url", &stores.database_url(), postgres.address),
            through("redis-url", &stores.redis_url(), other_redis.address),
            "--database-statement-timeout=15s".to_owned(),
        ];
        let loading = TestApp::on(&stores, &arguments.each_ref().map(String::as_str)).await;
        let ada = revoking.user("ada").await;
        let session: uuid::Uuid = sqlx::query_scalar("SELECT id FROM auth_sessions").fetch_one(stores.pool()).await.unwrap();
        redis.set(Mode::Refuse).await;
        other_redis.set(its_redis.clone()).await;
        let redis_status = if its_redis == Mode::Pass { "ready" } else { "degraded" };
        loading.until_status(RECOVERY, redis_status).await;

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
async fn a_replica_that_cannot_reach_redis_removes_a_member_on_every_replica_before_it_answers() {
    let fixture = RevocationFixture::start().await;
    let bob = fixture.sound[0].user("bob").await;
    let (ada, path, id) = (&fixture.ada, fixture.path(), &fixture.project);
    let rename = async |app: &TestApp| {
        app.as_user(&bob, Method::PATCH, &path).header("if-match", "*").json(&json!({ "name": "Bob's" })).answer().await
    };
    let read = async |app: &TestApp| app.as_user(&bob, Method::GET, &path).answer().await;
    fixture.sound[0].add_member(ada, id, &bob, "editor").await.expect(201);
    let as_bob = |app: &TestApp| app.as_user(&bob, Method::GET, &path);
    fixture.cache(&["project"], as_bob).await;
    assert_eq!(read(&fixture.sound[0]).await.expect(200).json()["role"], "editor");
    fixture.redis.set(Mode::Refuse).await;
    fixture.fragile.add_member(ada, id, &bob, "viewer").await.expect(201);
    for app in &fixture.sound {
        assert_eq!(read(app).await.expect(200).json()["role"], "viewer");
        rename(app).await.problem(403, "forbidden");
    }
    fixture.cache(&["project"], as_bob).await;
    fixture.fragile.delete(&format!("{path}/members/{}", bob.id)).bearer_auth(&ada.token).answer().await.expect(204);
    for app in &fixture.sound {
        read(app).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_replica_that_cannot_reach_redis_removes_a_project_from_the_showcase_of_every_replica() {
    let fixture = RevocationFixture::start().await;
    let publish = format!("{}/publish", fixture.path());
    fixture.sound[0].post(&publish).bearer_auth(&fixture.ada.token).json(&json!({ "slug": "one" })).answer().await.expect(200);
    for path in ["/api/showcase", "/api/showcase/one"] {
        fixture.cache(&["showcase"], |app| app.get(path)).await;
    }
    fixture.redis.set(Mode::Refuse).await;
    fixture.fragile.delete(&publish).bearer_auth(&fixture.ada.token).answer().await.expect(200);
    for app in &fixture.sound {
        app.get("/api/showcase/one").answer().await.problem(404, "not_found");
        assert_eq!(app.get("/api/showcase").answer().await.expect(200).json()["items"], json!([]));
    }
}

#[tokio::test]
async fn an_admin_who_is_appointed_without_redis_is_one_on_every_replica() {
    let fixture = RevocationFixture::start().await;
    let bob = fixture.sound[0].user("bob").await;
    // Only an admin may read another user's project.
    let read = async |app: &TestApp| app.as_user(&bob, Method::GET, &fixture.path()).answer().await;
    for app in &fixture.sound {
        read(app).await.problem(404, "not_found");
    }
    fixture.redis.set(Mode::Refuse).await;
    let config = configuration(&fixture.stores, &[&through("redis-url", &fixture.stores.redis_url(), fixture.redis.address)]);
    App::build(config).unwrap().grant_admin(&bob.email).await.unwrap();
    for app in &fixture.sound {
        read(app).await.expect(200);
    }
}

#[tokio::test]
async fn without_redis_at_all_nothing_waits_for_it() {
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
async fn revocations_that_every_replica_has_read_and_stopped_replicas_are_removed_from_the_tables() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
    assert_eq!(app.stores.count("SELECT count(*) FROM cache_invalidations").await, 1);
    app.stores.execute("UPDATE cache_invalidations SET created_at = now() - interval '1 hour'").await;
    let killed = "INSERT INTO cache_readers (replica, trusts_until) VALUES (gen_random_uuid(), now() - interval '1 hour')";
    app.stores.execute(killed).await;
    let rows = "SELECT (SELECT count(*) FROM cache_invalidations) + (SELECT count(*) FROM cache_readers)";
    eventually("only the replica's row is left", async || when(app.stores.count(rows).await == 1)).await;
    let stores = app.stores.clone();
    app.leave().await.unwrap();
    assert_eq!(stores.count(rows).await, 0);
}
