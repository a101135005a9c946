//! A password of Postgres that changes while a replica runs.

use futures_util::future::join_all;
use reqwest::Method;
use sqlx::AssertSqlSafe;

use crate::support::servers::TextFile;
use crate::support::{Ask, RECOVERY, Stores, TestApp, eventually, when};

async fn run(stores: &Stores, sql: String) {
    sqlx::query(AssertSqlSafe(sql)).execute(stores.pool()).await.unwrap();
}

#[tokio::test]
async fn a_new_password_of_postgres_needs_no_restart() {
    let stores = Stores::new().await;
    let role = format!("rotating_{}", stores.prefix().replace('-', "_"));
    run(&stores, format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'the first'")).await;
    let file = TextFile::with("the first\n");
    let mut url = stores.database_url();
    url.set_username(&role).unwrap();
    url.set_password(None).unwrap();
    let arguments = [format!("--database-url={url}"), format!("--database-password-file={}", file.path().display())];
    let app = TestApp::on(&stores, &[&arguments[0], &arguments[1]]).await;
    let ada = app.user("ada").await;
    let ask = async || app.as_user(&ada, Method::GET, "/api/projects").answer().await;
    let end_sessions = async || {
        let ended = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name LIKE 'vitrine-%'";
        assert!(stores.count(ended).await >= 3, "no session has ended");
    };

    // Without the new password in the file, new connections are refused, and readiness says why.
    run(&stores, format!("ALTER ROLE {role} PASSWORD 'the second'")).await;
    end_sessions().await;
    let reason = "Postgres refuses the user or the password: check DATABASE_URL or DATABASE_PASSWORD_FILE";
    app.until_refused("postgres", reason, "the first").await;
    ask().await.problem(503, "unavailable");

    file.write("the second\n");
    app.until_status(RECOVERY, "ready").await;
    join_all((0..20).map(|_| ask())).await.into_iter().for_each(|answer| drop(answer.expect(200)));

    // With it, no request notices the change. Each of the five connections that were ended may fail one request.
    file.write("the third\n");
    run(&stores, format!("ALTER ROLE {role} PASSWORD 'the third'")).await;
    end_sessions().await;
    let mut failures = 0;
    for _ in 0..40 {
        failures += u32::from(ask().await.status != 200);
    }
    assert!(failures <= 5, "{failures} of 40 requests failed");
    for _ in 0..20 {
        ask().await.expect(200);
    }
    drop(app);
    eventually("the role is dropped", async || {
        let drop_all = sqlx::raw_sql(AssertSqlSafe(format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP ROLE {role}")));
        when(drop_all.execute(stores.pool()).await.is_ok())
    })
    .await;
}
