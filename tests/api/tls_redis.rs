//! Redis with TLS and a user with few rights: both connections use it, and each mistake is named where operators look.

use url::Url;

use crate::support::app::through;
use crate::support::certificates::Authority;
use crate::support::servers::{OwnRedis, TextFile};
use crate::support::{Ask, Mode, Proxy, RECOVERY, Stores, TestApp, eventually, when};

const PASSWORD: &str = "correct-horse-battery";
/// The commands that the service needs, as in docs/OPERATIONS.md.
const COMMANDS: &str = "-@all +get +mget +set +eval +publish +subscribe +time +pexpire +zadd +zcard +zrem +zremrangebyscore";

/// Creates a user with few rights; returns the URL with this user.
async fn with_user(redis: &OwnRedis, stores: &Stores) -> Url {
    let names = stores.prefix();
    let rights = format!("ACL SETUSER vitrine reset on >{PASSWORD} ~{names}:* &{names}:* {COMMANDS}");
    redis.run::<()>(&rights.split(' ').collect::<Vec<_>>()).await;
    let mut url = redis.tls_url();
    url.set_username("vitrine").unwrap();
    url.set_password(Some(PASSWORD)).unwrap();
    url
}

#[tokio::test]
async fn every_connection_to_redis_uses_tls_and_each_mistake_is_named() {
    let (redis, stores) = (OwnRedis::start(), Stores::new().await);
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let proxy = Proxy::before(&redis.tls_url(), Mode::Pass).await;
    let name = proxy.address.ip().to_string();
    redis.certify(&authority, &authority.certify(&[&name])).await;
    let (ours, theirs) = (TextFile::with(&authority.pem()), TextFile::with(&other.pem()));
    let url = with_user(&redis, &stores).await;
    let launch = |url: &str, authority: &TextFile| {
        let file = format!("--redis-ca-file={}", authority.path().display());
        let arguments = [url, &file];
        let given = if url.contains("rediss://") { &arguments[..] } else { &arguments[..1] };
        TestApp::launch(&stores, given, None)
    };
    let refused = async |app: TestApp, reason: &str| app.until_refused("redis", reason, PASSWORD).await;
    let at_proxy = |url: &Url| through("redis-url", url, proxy.address);

    refused(
        launch(&at_proxy(&url), &theirs),
        "the certificate of Redis is signed by an authority that is not trusted: check REDIS_CA_FILE",
    )
    .await;
    let plain = Url::parse(&url.as_str().replace("rediss://", "redis://")).unwrap();
    refused(
        launch(&at_proxy(&plain), &ours),
        "Redis ends connections without an answer: if its port expects TLS, REDIS_URL must begin with rediss://",
    )
    .await;
    let mut to_plain_port = url.clone();
    to_plain_port.set_port(redis.url().port()).unwrap();
    refused(
        launch(&format!("--redis-url={to_plain_port}"), &ours),
        "Redis does not answer in TLS: check that the port in REDIS_URL expects TLS",
    )
    .await;
    let mut with_other_password = url.clone();
    with_other_password.set_password(Some("another")).unwrap();
    refused(
        launch(&at_proxy(&with_other_password), &ours),
        "Redis refuses the user or the password: check REDIS_URL or REDIS_PASSWORD_FILE",
    )
    .await;
    redis.certify(&authority, &authority.certify(&["elsewhere.example"])).await;
    refused(launch(&at_proxy(&url), &ours), "the certificate of Redis is for another host name: check the host in REDIS_URL").await;
    redis.certify(&authority, &authority.certify_for_the_past(&[&name])).await;
    let app = launch(&at_proxy(&url), &ours);
    app.until_refused("redis", "the certificate of Redis has expired or is not valid yet: renew it, and check the clocks", PASSWORD).await;
    app.until_status(RECOVERY, "degraded").await;

    redis.certify(&authority, &authority.certify(&[&name])).await;
    app.until_status(RECOVERY, "ready").await;
    app.until_connected_to_bus().await;
    let ada = app.user("ada").await;
    app.as_user(&ada, reqwest::Method::GET, "/api/projects").answer().await.expect(200);
    eventually("both connections belong to the user", async || {
        let clients: String = redis.run(&["CLIENT", "LIST"]).await;
        when(clients.matches("user=vitrine").count() == 2)
    })
    .await;
    let scrape = app.settled().await;
    assert_eq!(scrape.get("redis_commands_total", &[("command", "eval"), ("status", "error")]), 0.0);
    assert!(scrape.get("redis_commands_total", &[("command", "eval"), ("status", "success")]) > 0.0);
}
