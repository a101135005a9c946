//! Releases that share a database: a failing migration, a replica that waits for the migration of another, and a schema that is newer than
//! a replica.

use sqlx::migrate::Migrate;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use url::Url;

use crate::support::{Ask, RECOVERY, Stores, TestApp, eventually, when};

/// Creates a role that may not create tables, so that a replica with this role fails to migrate. Returns the role's name and database URL.
async fn without_rights(stores: &Stores) -> (String, Url) {
    let name = format!("visitor_{}", stores.prefix().replace('-', "_"));
    for statement in [format!("CREATE ROLE {name} LOGIN PASSWORD 'only reads'"), "REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned()] {
        sqlx::query(AssertSqlSafe(statement)).execute(stores.pool()).await.unwrap();
    }
    let mut url = stores.database_url();
    url.set_username(&name).unwrap();
    url.set_password(Some("only reads")).unwrap();
    (name, url)
}

async fn postgres(app: &TestApp) -> serde_json::Value {
    app.get("/health/ready").answer().await.json()["checks"]["postgres"].clone()
}

#[tokio::test]
async fn a_release_whose_migration_fails_does_not_keep_the_next_one_waiting() {
    let stores = Stores::new().await;
    let (role, url) = without_rights(&stores).await;
    let broken = TestApp::launch(&stores, &[&format!("--database-url={url}")], None);
    eventually("a migration has failed", async || {
        let failed = broken.scrape().await.get("system_errors_total", &[("error_type", "migration")]);
        when(failed >= 1.0 && postgres(&broken).await["last_error"] == "migration")
    })
    .await;

    let fixed = TestApp::launch(&stores, &[], None);
    fixed.until_ready().await;
    fixed.register("ada@example.com").await.expect(201);
    broken.get("/health/live").answer().await.expect(200);
    assert_eq!(postgres(&broken).await["status"], "down");
    drop(broken);
    eventually("the role is dropped", async || {
        let gone = sqlx::query(AssertSqlSafe(format!("DROP ROLE {role}"))).execute(stores.pool()).await;
        when(gone.is_ok())
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_waits_for_a_migration_names_the_migrating_replica() {
    let stores = Stores::new().await;
    let options: PgConnectOptions = stores.database_url().as_str().parse().unwrap();
    let mut other = options.application_name("vitrine-backend-9").connect().await.unwrap();
    other.lock().await.unwrap();
    let app = TestApp::launch(&stores, &[], None);
    eventually("readiness names the replica that migrates", async || {
        let check = postgres(&app).await;
        when(check["last_error"] == "migration_waiting" && check["detail"] == "migration is waiting for vitrine-backend-9")
    })
    .await;
    app.get("/health/ready").answer().await.expect(503);
    app.get("/health/live").answer().await.expect(200);
    // A request that arrives before there are tables gets 503.
    app.register("ada@example.com").await.problem(503, "unavailable");

    other.unlock().await.unwrap();
    app.until_status(RECOVERY, "ready").await;
    assert_eq!(postgres(&app).await["detail"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_replica_of_the_previous_release_starts_on_a_newer_schema() {
    let stores = Stores::new().await;
    TestApp::on(&stores, &[]).await.leave().await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (99990101000000, 'of the next release', true, 'x', 0)";
    assert_eq!(stores.execute(newer).await, 1);
    TestApp::on(&stores, &[]).await.register("ada@example.com").await.expect(201);
}
