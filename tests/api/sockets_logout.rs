//! When a session ends for any reason, its clients are logged out and disconnected on every replica.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::sockets::{assert_answers, ways};
use crate::support::app::through;
use crate::support::socket_client::Kind;
use crate::support::{Ask, Mode, Proxy, Socket, Sockets, Stores, TestApp, User, eventually, when, within};

/// The time limit for a logout, with Redis and without: `docs/REALTIME.md` states it.
const LOGOUT_LIMIT: Duration = Duration::from_secs(1);
/// The time limit for an expired session: the interval of the checks, five seconds, and one second for the logout.
const EXPIRY_LIMIT: Duration = Duration::from_secs(6);
/// Extra time for a busy machine.
const SLACK: Duration = Duration::from_secs(3);

/// Two replicas, and a user with two sessions. Each session has one client for each way to connect, on each replica.
struct Fixture {
    replicas: Vec<TestApp>,
    ada: User,
    other_token: String,
    /// The clients of `ada`'s first session, which the tests end.
    ending: Vec<Socket>,
    /// The clients of the other session.
    staying: Vec<Socket>,
    sockets: Sockets,
}

impl Fixture {
    async fn new() -> Option<Self> {
        let sockets = Sockets::start()?;
        let replicas = TestApp::replicas(2, &[]).await;
        let ada = replicas[0].user("ada").await;
        let other_token = replicas[0].token(&ada.email).await;
        let (mut ending, mut staying) = (Vec::new(), Vec::new());
        for replica in &replicas {
            for (_, dial) in ways(&sockets, &replica.url()) {
                ending.push(dial.token(&ada.token).reconnecting().connected().await);
            }
            for (_, dial) in ways(&sockets, &replica.url()) {
                staying.push(dial.token(&other_token).reconnecting().connected().await);
            }
        }
        Some(Self { replicas, ada, other_token, ending, staying, sockets })
    }

    /// Asserts that these clients receive `logout`, are disconnected, and do not reconnect.
    async fn assert_logged_out(&self, sockets: &[Socket], limit: Duration) {
        within(limit + SLACK, "all clients are logged out", async || {
            when(sockets.iter().all(|socket| !socket.of_kind(Kind::Disconnect).is_empty()))
        })
        .await;
        for socket in sockets {
            assert_eq!(socket.events("logout"), [json!({ "reason": "ended" })]);
            assert_eq!(socket.closed().await, "io server disconnect");
            let last = socket.history().pop().unwrap();
            assert_eq!(last.kind, Kind::Disconnect, "{:?}", socket.history());
        }
        let counted = async || {
            let mut counted = 0.0;
            for replica in &self.replicas {
                counted += replica.scrape().await.get("websocket_disconnections_total", &[("reason", "logout")]);
            }
            counted
        };
        eventually("each logout is counted once", async || when(counted().await == sockets.len() as f64)).await;
    }

    /// Asserts that the other session's clients are unaffected, and that the ended session cannot connect again.
    async fn assert_others_stay(&self) {
        for socket in &self.staying {
            assert_answers(socket, 1).await;
            assert_eq!(socket.of_kind(Kind::Connect).len(), 1);
            assert!(socket.events("logout").is_empty());
        }
        for replica in &self.replicas {
            assert_eq!(self.sockets.to(&replica.url()).token(&self.ada.token).refused().await, "invalid_token");
            replica.until_clients(3).await;
        }
    }
}

#[tokio::test]
async fn logging_out_disconnects_the_sessions_sockets_on_every_replica() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.replicas[0].post("/api/auth/logout").bearer_auth(&fixture.ada.token).answer().await.expect(204);
    fixture.assert_logged_out(&fixture.ending, LOGOUT_LIMIT).await;
    fixture.assert_others_stay().await;
}

#[tokio::test]
async fn ending_a_session_from_another_session_disconnects_its_sockets() {
    let Some(fixture) = Fixture::new().await else { return };
    let sessions = fixture.replicas[1].get("/api/auth/sessions").bearer_auth(&fixture.ada.token).answer().await.expect(200).json();
    let current = sessions["items"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap().clone();
    let path = format!("/api/auth/sessions/{}", current["id"].as_str().unwrap());
    fixture.replicas[1].request(Method::DELETE, &path).bearer_auth(&fixture.other_token).answer().await.expect(204);
    fixture.assert_logged_out(&fixture.ending, LOGOUT_LIMIT).await;
    fixture.assert_others_stay().await;
}

#[tokio::test]
async fn ending_all_sessions_disconnects_all_sockets() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.replicas[0].post("/api/auth/logout-all").bearer_auth(&fixture.ada.token).answer().await.expect(204);
    let all: Vec<Socket> = fixture.ending.iter().chain(&fixture.staying).cloned().collect();
    fixture.assert_logged_out(&all, LOGOUT_LIMIT).await;
    for replica in &fixture.replicas {
        replica.until_clients(0).await;
        eventually("at most the connections of this test's HTTP clients are left", async || {
            when(replica.scrape().await.get("active_connections", &[]) <= 2.0)
        })
        .await;
    }
}

#[tokio::test]
async fn an_expired_session_disconnects_its_sockets_at_the_next_check() {
    let Some(fixture) = Fixture::new().await else { return };
    let first = "UPDATE auth_sessions SET expires_at = now() WHERE id = (SELECT id FROM auth_sessions ORDER BY created_at LIMIT 1)";
    assert_eq!(fixture.replicas[0].stores.execute(first).await, 1);
    fixture.assert_logged_out(&fixture.ending, EXPIRY_LIMIT).await;
    for socket in &fixture.staying {
        assert_answers(socket, 1).await;
    }
}

#[tokio::test]
async fn without_redis_the_end_of_a_session_is_detected_in_time() {
    let Some(sockets) = Sockets::start() else { return };
    let stores = Stores::new().await;
    let redis = Proxy::before(&stores.redis_url(), Mode::Pass).await;
    let argument = through("redis-url", &stores.redis_url(), redis.address);
    let replicas = [TestApp::on(&stores, &[&argument]).await, TestApp::on(&stores, &[&argument]).await];
    let ada = replicas[0].user("ada").await;
    let other = replicas[0].token(&ada.email).await;
    let mut ending = Vec::new();
    for replica in &replicas {
        replica.until_connected_to_bus().await;
        ending.push(sockets.connect(replica, &ada.token).await);
    }
    let staying = sockets.connect(&replicas[1], &other).await;
    redis.set(Mode::Refuse).await;
    replicas[0].post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
    for socket in &ending {
        within(LOGOUT_LIMIT + SLACK, "the client is logged out", async || when(!socket.of_kind(Kind::Disconnect).is_empty())).await;
        assert_eq!((socket.closed().await.as_str(), socket.events("logout").len()), ("io server disconnect", 1));
    }
    assert_answers(&staying, 1).await;
}

#[tokio::test]
async fn a_signal_from_another_replica_logs_clients_out_without_the_database() {
    let Some(sockets) = Sockets::start() else { return };
    let stores = Stores::new().await;
    let postgres = Proxy::before(&stores.database_url(), Mode::Pass).await;
    let here = TestApp::on(&stores, &[]).await;
    let there = TestApp::on(&stores, &[&through("database-url", &stores.database_url(), postgres.address)]).await;
    there.until_connected_to_bus().await;
    let ada = here.user("ada").await;
    let socket = sockets.connect(&there, &ada.token).await;
    // `there` cannot detect the end of the session in the database any more.
    postgres.set(Mode::Refuse).await;
    here.post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
    assert_eq!(socket.closed().await, "io server disconnect");
    assert_eq!(socket.events("logout").len(), 1);
}

/// If a session ends while the service checks it, its client is refused, or soon disconnected.
#[tokio::test]
async fn a_session_that_ends_while_it_is_checked_keeps_no_client() {
    let Some(sockets) = Sockets::start() else { return };
    let stores = Stores::new().await;
    let redis = Proxy::before(&stores.redis_url(), Mode::Pass).await;
    let here = TestApp::on(&stores, &[]).await;
    let there = TestApp::on(&stores, &[&through("redis-url", &stores.redis_url(), redis.address), "--redis-timeout=20s"]).await;
    there.until_connected_to_bus().await;
    // The replica checks a client before and after the client joins the room of its session. The proxy holds the first answer of Redis that
    // contains the session. If the session is cached, Redis sends this answer during the first check. Otherwise, Redis sends it during the
    // second check, because the first check loads the session from the database into the cache.
    for is_cached in [true, false] {
        let ada = here.user(&format!("ada-{is_cached}")).await;
        if is_cached {
            there.me(&ada.token).await.expect(200);
        }
        redis.set(Mode::HoldAnswersWith(ada.id.clone().into())).await;
        let socket = sockets.to(&there.url()).websocket().token(&ada.token).open();
        redis.until_holding().await;
        here.post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
        redis.set(Mode::Pass).await;
        within(LOGOUT_LIMIT + SLACK, "the client is refused or logged out", async || {
            when(!socket.of_kind(Kind::ConnectError).is_empty() || !socket.of_kind(Kind::Disconnect).is_empty())
        })
        .await;
        there.until_clients(0).await;
    }
}

#[tokio::test]
async fn clients_that_connect_while_the_session_ends_do_not_stay_connected() {
    let Some(sockets) = Sockets::start() else { return };
    let replicas = TestApp::replicas(2, &[]).await;
    for round in 0..10 {
        let ada = replicas[0].user(&format!("ada{round}")).await;
        let dials: Vec<Socket> =
            replicas.iter().flat_map(|replica| (0..5).map(|_| sockets.to(&replica.url()).websocket().token(&ada.token).open())).collect();
        replicas[0].post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
        for socket in &dials {
            within(LOGOUT_LIMIT + SLACK, "the client is refused or logged out", async || {
                let ended = |kind| !socket.of_kind(kind).is_empty();
                when(ended(Kind::ConnectError) || ended(Kind::Disconnect))
            })
            .await;
        }
        for replica in &replicas {
            replica.until_clients(0).await;
        }
    }
}
