//! Failures of Redis and Postgres. While Redis is down, clients receive only the events of their own replica, and lost events are counted.
//! When Redis is back, the bus recovers by itself. While Postgres is down, new clients are refused, and connected clients stay connected.

use std::time::Duration;

use crate::sockets::assert_answers;
use crate::support::app::through;
use crate::support::realtime::{EMITTED, emitting, numbers};
use crate::support::{Mode, Proxy, RECOVERY, Socket, Sockets, Stores, TestApp, User, eventually, when, within};

/// Two replicas, one of which reaches Redis through a proxy, and a user.
struct Fixture {
    sockets: Sockets,
    stores: Stores,
    redis: Proxy,
    proxied: TestApp,
    healthy: TestApp,
    ada: User,
}

impl Fixture {
    async fn new(mode: Mode) -> Option<Self> {
        let sockets = Sockets::start()?;
        let stores = Stores::new().await;
        let redis = Proxy::before(&stores.redis_url(), mode.clone()).await;
        let proxied = TestApp::launch(&stores, &[&through("redis-url", &stores.redis_url(), redis.address)], Some(emitting()));
        let healthy = TestApp::launch(&stores, &[], Some(emitting()));
        proxied.until_ready().await;
        healthy.until_ready().await;
        healthy.until_connected_to_bus().await;
        if mode == Mode::Pass {
            proxied.until_connected_to_bus().await;
        }
        let ada = healthy.user("ada").await;
        Some(Self { sockets, stores, redis, proxied, healthy, ada })
    }

    async fn clients(&self) -> (Socket, Socket) {
        (self.sockets.connect(&self.proxied, &self.ada.token).await, self.sockets.connect(&self.healthy, &self.ada.token).await)
    }

    /// Asserts that, when both replicas emit events, each client receives only those of its own replica, and that the replica without
    /// Redis counts the events that it could not publish.
    async fn assert_only_here(&self, (here, there): (&Socket, &Socket), first: u32) {
        let dropped = async || self.proxied.scrape().await.get("websocket_messages_dropped_total", &[("reason", "bus_away")]);
        let before = dropped().await;
        for number in first..first + 5 {
            self.proxied.emit_event(&self.ada, number).await;
        }
        within(Duration::from_secs(3), "the local client receives the events", async || {
            when(numbers(here).contains(&u64::from(first + 4)))
        })
        .await;
        self.healthy.emit_event(&self.ada, first + 5).await;
        there.until(EMITTED, |payload| payload["number"] == first + 5).await;
        eventually("the lost events are counted", async || when(dropped().await >= before + 5.0)).await;
        assert_answers(here, 1).await;
        assert!(numbers(there).iter().all(|number| !(u64::from(first)..u64::from(first) + 5).contains(number)));
        assert!(!numbers(here).contains(&u64::from(first + 5)));
    }

    /// Asserts that each client receives events of the other replica within [`RECOVERY`], and that neither client was disconnected.
    async fn assert_recovers(&self, (here, there): (&Socket, &Socket), mut number: u32) {
        for (sender, receiver) in [(&self.proxied, there), (&self.healthy, here)] {
            let first = u64::from(number) + 1;
            within(RECOVERY, "events of one replica reach the other", async || {
                number += 1;
                sender.emit_event(&self.ada, number).await;
                when(numbers(receiver).iter().any(|received| *received >= first))
            })
            .await;
        }
        self.proxied.until_connected_to_bus().await;
        for socket in [here, there] {
            assert_eq!(socket.of_kind(crate::support::socket_client::Kind::Disconnect).len(), 0);
        }
    }
}

#[tokio::test]
async fn redis_is_stopped_and_comes_back() {
    let Some(fixture) = Fixture::new(Mode::Pass).await else { return };
    let (here, there) = fixture.clients().await;
    for round in 0..2 {
        fixture.redis.set(Mode::Refuse).await;
        eventually("the replica has lost Redis", async || when(fixture.proxied.scrape().await.get("redis_connections_active", &[]) == 0.0))
            .await;
        fixture.assert_only_here((&here, &there), 10 + round * 100).await;
        eventually("the gauge shows that the bus is disconnected", async || {
            when(fixture.proxied.scrape().await.get("websocket_adapter_connected", &[]) == 0.0)
        })
        .await;
        assert_answers(&fixture.sockets.connect(&fixture.proxied, &fixture.ada.token).await, 1).await;
        fixture.redis.set(Mode::Pass).await;
        fixture.assert_recovers((&here, &there), 1000 * (round + 1)).await;
    }
}

#[tokio::test]
async fn redis_freezes_and_thaws() {
    let Some(fixture) = Fixture::new(Mode::Pass).await else { return };
    let (here, there) = fixture.clients().await;
    fixture.redis.set(Mode::Hang).await;
    fixture.assert_only_here((&here, &there), 10).await;
    fixture.redis.set(Mode::Pass).await;
    fixture.assert_recovers((&here, &there), 1000).await;
}

#[tokio::test]
async fn silent_and_closed_connections_to_redis_are_replaced() {
    let Some(fixture) = Fixture::new(Mode::Pass).await else { return };
    let (here, there) = fixture.clients().await;
    fixture.redis.lose();
    fixture.assert_recovers((&here, &there), 1000).await;
    fixture.redis.cut();
    fixture.assert_recovers((&here, &there), 2000).await;
}

#[tokio::test]
async fn redis_starts_after_the_replica() {
    let Some(fixture) = Fixture::new(Mode::Refuse).await else { return };
    let (here, there) = fixture.clients().await;
    fixture.assert_only_here((&here, &there), 10).await;
    fixture.redis.set(Mode::Pass).await;
    fixture.assert_recovers((&here, &there), 1000).await;
}

#[tokio::test]
async fn foreign_messages_on_the_bus_do_no_harm() {
    let Some(fixture) = Fixture::new(Mode::Pass).await else { return };
    let (here, there) = fixture.clients().await;
    let before = fixture.proxied.settled().await;
    let mut redis = fixture.stores.redis().await;
    let by = "00000000-0000-0000-0000-000000000000";
    let user = &fixture.ada.id;
    for text in [
        String::new(),
        "nonsense".to_owned(),
        "{}".to_owned(),
        "x".repeat(1_000_000),
        "[".repeat(100_000),
        format!(
            "{{\"by\":\"{by}\",\"message\":{{\"emit\":{{\"rooms\":[{{\"user\":\"{user}\"}}],\"event\":\"no such event\",\"payload\":1}}}}}}"
        ),
        format!("{{\"by\":\"{by}\",\"message\":{{\"emit\":{{\"rooms\":[{{\"nobody\":\"{user}\"}}],\"event\":\"pong\",\"payload\":1}}}}}}"),
        format!("{{\"by\":\"{by}\",\"message\":{{\"signal\":{{\"topic\":\"sessions_ended\",\"payload\":\"nonsense\"}}}}}}"),
        format!("{{\"by\":\"{by}\",\"message\":{{\"signal\":{{\"topic\":\"of tomorrow\",\"payload\":1}}}}}}"),
        format!("{{\"by\":\"{by}\",\"message\":{{\"kind of tomorrow\":1}}}}"),
    ] {
        let channel = format!("{}:bus", fixture.stores.prefix());
        let subscribers: i64 = redis::cmd("PUBLISH").arg(channel).arg(text).query_async(&mut redis).await.unwrap();
        assert_eq!(subscribers, 2);
    }
    fixture.proxied.emit_event(&fixture.ada, 1).await;
    there.until(EMITTED, |payload| payload["number"] == 1).await;
    assert_answers(&here, 1).await;
    fixture.proxied.assert_unharmed(&before).await;
}

#[tokio::test]
async fn clients_that_connect_while_postgres_is_down_get_an_error() {
    let Some(sockets) = Sockets::start() else { return };
    let stores = Stores::new().await;
    let postgres = Proxy::before(&stores.database_url(), Mode::Pass).await;
    let arguments = [through("database-url", &stores.database_url(), postgres.address), "--database-acquire-timeout=1s".to_owned()];
    let app = TestApp::on(&stores, &arguments.each_ref().map(String::as_str)).await;
    let ada = app.user("ada").await;
    let connected = sockets.connect(&app, &ada.token).await;
    for mode in [Mode::Refuse, Mode::Hang] {
        // A session that was never used, so that no cache contains it.
        let token = app.token(&ada.email).await;
        postgres.set(mode).await;
        assert_eq!(sockets.to(&app.url()).token(&token).refused().await, "unavailable");
        assert_answers(&connected, 1).await;
        postgres.set(Mode::Pass).await;
        within(RECOVERY, "requests succeed again", async || when(app.me(&token).await.status == 200)).await;
        assert_answers(&sockets.connect(&app, &token).await, 1).await;
    }
    // While Postgres is down, the service cannot check sessions. This must not log anybody out.
    assert_answers(&connected, 2).await;
    assert!(connected.events("logout").is_empty());
}
