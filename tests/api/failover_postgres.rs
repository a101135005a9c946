//! A failover of Postgres: another server answers at the same address, and the old one no longer accepts changes.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::app::through;
use crate::support::servers::OwnPostgres;
use crate::support::{Ask, Mode, Proxy, Stores, TestApp, eventually, when, within};

/// The time in which a replica must follow a failover.
const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_replica_follows_a_failover_of_postgres_without_a_restart() {
    let stores = Stores::new().await;
    let old = OwnPostgres::durable();
    let new = old.standby().await;
    let proxy = Proxy::before(&old.url(), Mode::Pass).await;
    let app = TestApp::on(&stores, &[&through("database-url", &old.url(), proxy.address)]).await;
    let ada = app.user("ada").await;
    let create = |number: usize| {
        let request = app.as_user(&ada, Method::POST, "/api/projects").header("idempotency-key", format!("k-{number}"));
        request.json(&json!({ "name": format!("number {number}") }))
    };
    let mut numbers = 0..;
    let mut next = async || {
        let answer = create(numbers.next().unwrap()).answer().await;
        assert!(matches!(answer.status, 201 | 503), "{}", answer.text());
        (answer.status == 201).then(|| answer.json()["id"].as_str().unwrap().to_owned())
    };
    let mut acknowledged = Vec::new();
    for _ in 0..5 {
        acknowledged.push(next().await.unwrap());
    }

    // The old primary keeps its connections, so that only its refusals tell the replica about the failover.
    old.run("ALTER SYSTEM SET default_transaction_read_only = on").await;
    old.reload().await;
    eventually("changes are refused", async || {
        let created = next().await;
        let is_refused = created.is_none();
        acknowledged.extend(created);
        when(is_refused)
    })
    .await;
    proxy.lead_to(&new.url());
    new.run("SELECT pg_promote()").await;

    for _ in 0..6 {
        acknowledged.push(within(LIMIT, "changes are accepted", &mut next).await);
    }
    let ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vitrine-backend-1'";
    within(LIMIT, "no connection to the old server is left", async || {
        app.as_user(&ada, Method::GET, "/api/projects").answer().await.expect(200);
        when(old.value(ours).await == 0)
    })
    .await;
    assert!(new.value(ours).await >= 3, "the pool, the reserved connection and the listening one");
    for id in acknowledged {
        assert_eq!(new.value(&format!("SELECT count(*) FROM projects WHERE id = '{id}'")).await, 1, "an acknowledged change is lost");
    }
    app.until_status(LIMIT, "ready").await;
    for _ in 0..20 {
        app.as_user(&ada, Method::GET, "/api/projects").answer().await.expect(200);
    }
}
