//! A password of Redis that changes while a replica runs.

use crate::support::servers::TextFile;
use crate::support::{Ask, RECOVERY, Stores, TestApp, eventually, when};

#[tokio::test]
async fn a_new_password_of_redis_needs_no_restart() {
    let stores = Stores::new().await;
    let user = stores.prefix().to_owned();
    let mut redis = stores.redis().await;
    let mut change = async |password: &str| {
        let rights = ["reset", "on", password, "~*", "&*", "+@all"];
        redis::cmd("ACL").arg("SETUSER").arg(&user).arg(&rights).query_async::<()>(&mut redis).await.unwrap();
        redis::cmd("CLIENT").arg(&["KILL", "USER", &user]).query_async::<i64>(&mut redis).await.unwrap()
    };
    change(">the-first").await;
    let file = TextFile::with("the-first\n");
    let mut url = stores.redis_url();
    url.set_username(&user).unwrap();
    url.set_password(None).unwrap();
    let arguments = [format!("--redis-url={url}"), format!("--redis-password-file={}", file.path().display())];
    let app = TestApp::on(&stores, &[&arguments[0], &arguments[1]]).await;
    app.until_status(RECOVERY, "ready").await;
    app.until_connected_to_bus().await;

    assert_eq!(change(">the-second").await, 2, "both connections are those of the user");
    app.until_refused("redis", "Redis refuses the user or the password: check REDIS_URL or REDIS_PASSWORD_FILE", "the-first").await;
    file.write("the-second\n");
    app.until_status(RECOVERY, "ready").await;
    app.until_connected_to_bus().await;

    file.write("the-third\n");
    let before = app.scrape().await;
    change(">the-third").await;
    eventually("the replica has connected again", async || {
        when(app.scrape().await.since(&before, "redis_commands_total", &[("command", "connect"), ("status", "success")]) >= 2.0)
    })
    .await;
    let refused = [("command", "connect"), ("status", "error")];
    assert_eq!(app.scrape().await.since(&before, "redis_commands_total", &refused), 0.0, "no attempt used the old password");
    app.register("ada@example.com").await.expect(201);
    app.get("/health/ready").answer().await.expect(200);
    let _deleted: i64 = redis::cmd("ACL").arg(&["DELUSER", &user]).query_async(&mut redis).await.unwrap();
}
