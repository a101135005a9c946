//! A failover of Redis: another server answers at the same address, and the old one is its replica.

use std::time::Duration;

use crate::support::app::through;
use crate::support::servers::OwnRedis;
use crate::support::{Mode, Proxy, Stores, TestApp, eventually, when, within};

/// The time in which a replica must follow a failover.
const LIMIT: Duration = Duration::from_secs(10);

async fn clients(redis: &OwnRedis) -> usize {
    let all: String = redis.run(&["CLIENT", "LIST"]).await;
    // The test's own connection has the same user, but asks for the list at this moment.
    all.lines().filter(|line| line.contains("user=default") && !line.contains("cmd=client") && !line.contains("flags=S")).count()
}

#[tokio::test]
async fn a_replica_follows_a_failover_of_redis_without_a_restart() {
    let (old, new, stores) = (OwnRedis::start(), OwnRedis::start(), Stores::new().await);
    // Both servers have one password, as those of one cluster.
    let password = old.url().password().unwrap().to_owned();
    new.follow(&old).await;
    new.run::<()>(&["ACL", "SETUSER", "default", &format!(">{password}")]).await;
    eventually("the new server is in step", async || {
        let state: String = new.run(&["INFO", "replication"]).await;
        when(state.contains("master_link_status:up"))
    })
    .await;
    let proxy = Proxy::before(&old.url(), Mode::Pass).await;
    let app = TestApp::on(&stores, &[&through("redis-url", &old.url(), proxy.address)]).await;
    app.until_status(LIMIT, "ready").await;
    app.until_connected_to_bus().await;
    assert!(clients(&old).await >= 2);

    // While the address still leads to the old server, the replica works without Redis and says why.
    new.run::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    old.follow(&new).await;
    let reason = "Redis is a replica and accepts no changes: check that the host in REDIS_URL leads to the primary";
    app.until_refused("redis", reason, &password).await;
    app.register("ada@example.com").await.expect(201);

    proxy.lead_to(&new.url());
    app.until_status(LIMIT, "ready").await;
    app.until_connected_to_bus().await;
    within(LIMIT, "no connection to the old server is left", async || when(clients(&old).await == 0)).await;
    assert!(clients(&new).await >= 2);
    let before = app.settled().await;
    app.register("eve@example.com").await.expect(201);
    let after = app.settled().await;
    assert!(after.since(&before, "redis_commands_total", &[("command", "eval"), ("status", "success")]) > 0.0);
    assert_eq!(after.since(&before, "redis_commands_total", &[("status", "error")]), 0.0);
}
