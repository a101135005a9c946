//! Socket.IO through the real edge with three replicas: every transport, events between replicas, and clients that reconnect after a
//! replica or the edge stops, or after a reload of the edge. One test stops a replica without an edge.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::sockets::{assert_answers, ways};
use crate::support::program::Program;
use crate::support::realtime::until_all_received;
use crate::support::socket_client::Kind;
use crate::support::{Ask, Edge, RawSocket, Socket, Sockets, Stores, TestApp, User, eventually, when};

/// The close code "going away" (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;

/// Three replicas behind the edge, and a user.
pub struct Fixture {
    pub sockets: Sockets,
    pub edge: Edge,
    pub replicas: Vec<TestApp>,
    pub ada: User,
}

impl Fixture {
    pub async fn new(arguments: &[&str]) -> Option<Self> {
        let sockets = Sockets::start()?;
        let replicas = TestApp::replicas(3, arguments).await;
        let addresses: Vec<_> = replicas.iter().map(|replica| replica.address).collect();
        let edge = Edge::before(&addresses).await?;
        let ada = replicas[0].user("ada").await;
        Some(Self { sockets, edge, replicas, ada })
    }

    /// Clients of the user, spread over the replicas: `rounds` clients for each way to connect.
    pub async fn clients(&self, rounds: usize) -> Vec<Socket> {
        let dials = (0..rounds).flat_map(|_| ways(&self.sockets, &self.edge.url()));
        join_all(dials.map(|(_, dial)| dial.token(&self.ada.token).reconnecting().connected())).await
    }

    /// The number of clients of each replica.
    pub async fn spread(&self) -> Vec<f64> {
        join_all(self.replicas.iter().map(TestApp::clients)).await
    }

    /// Makes each replica emit one event, numbered from `first`, and asserts that each of these clients receives every event.
    pub async fn assert_reaches_all(&self, clients: &[Socket], first: u32) {
        for (replica, number) in self.replicas.iter().zip(first..) {
            replica.emit_event(&self.ada, number).await;
            until_all_received(&clients.iter().collect::<Vec<_>>(), number).await;
        }
    }
}

#[tokio::test]
async fn every_transport_works_through_the_edge_and_every_replica_reaches_every_client() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let clients = fixture.clients(6).await;
    for socket in &clients {
        assert_answers(socket, 1).await;
    }
    for upgrading in clients.iter().skip(2).step_by(3) {
        upgrading.upgraded().await;
    }
    eventually("all clients are counted", async || when(fixture.spread().await.iter().sum::<f64>() == 18.0)).await;
    let spread = fixture.spread().await;
    assert!(spread.iter().all(|count| *count > 0.0), "{spread:?}");
    fixture.assert_reaches_all(&clients, 1).await;
    // Each event arrived once, and none was lost.
    for socket in &clients {
        assert_eq!(crate::support::realtime::numbers(socket), [1, 2, 3]);
        assert_eq!(socket.of_kind(Kind::Connect).len(), 1, "{:?}", socket.history());
    }
    for replica in &fixture.replicas {
        let scrape = replica.scrape().await;
        assert_eq!(scrape.get("websocket_messages_dropped_total", &[]), 0.0);
        eventually("the latency between replicas is measured", async || {
            when(replica.scrape().await.get("websocket_fanout_seconds_count", &[]) > 0.0)
        })
        .await;
    }
    join_all(clients.iter().map(Socket::leave)).await;
    eventually("no client is left", async || when(fixture.spread().await == [0.0; 3])).await;
}

#[tokio::test]
async fn without_the_edges_cookie_a_websocket_still_works() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let clients = join_all((0..9).map(|_| fixture.sockets.to(&fixture.edge.url()).websocket().token(&fixture.ada.token).connected())).await;
    fixture.assert_reaches_all(&clients, 1).await;
}

#[tokio::test]
async fn connections_through_the_edge_are_limited_by_the_real_address() {
    let Some(fixture) = Fixture::new(&["--sockets-per-address=3"]).await else { return };
    let dial = || fixture.sockets.to(&fixture.edge.url()).websocket().token(&fixture.ada.token);
    let _held = join_all((0..9).map(|_| dial().connected())).await;
    // The edge removes the headers in which a client claims another address.
    let refused = dial().header("X-Forwarded-For", "192.0.2.7").header("Forwarded", "for=192.0.2.8").refused().await;
    assert!(refused.contains("429"), "{refused}");
}

#[tokio::test]
async fn clients_of_a_dead_replica_continue_on_another() {
    let Some(sockets) = Sockets::start() else { return };
    let stores = Stores::new().await;
    let mut program = Program::serve(&stores, &[("LOG_LEVEL", "error")]).await;
    let survivors = [
        TestApp::launch(&stores, &[], Some(crate::support::realtime::emitting())),
        TestApp::launch(&stores, &[], Some(crate::support::realtime::emitting())),
    ];
    for survivor in &survivors {
        survivor.until_ready().await;
        survivor.until_connected_to_bus().await;
    }
    let Some(edge) = Edge::before(&[program.address, survivors[0].address, survivors[1].address]).await else { return };
    let ada = survivors[0].user("ada").await;
    let dials = (0..4).flat_map(|_| ways(&sockets, &edge.url()));
    let clients = join_all(dials.map(|(_, dial)| dial.token(&ada.token).reconnecting().connected())).await;
    let on_survivors = async || survivors[0].clients().await + survivors[1].clients().await;
    eventually("a survivor has clients", async || when(on_survivors().await > 0.0)).await;
    program.signal("KILL");
    program.end().await;
    eventually("all clients are connected to the survivors", async || when(on_survivors().await == clients.len() as f64)).await;
    let came_back = clients.iter().filter(|socket| socket.of_kind(Kind::Connect).len() > 1).count();
    assert!((1..clients.len()).contains(&came_back), "{came_back}");
    survivors[1].emit_event(&ada, 1).await;
    until_all_received(&clients.iter().collect::<Vec<_>>(), 1).await;
    for socket in &clients {
        assert_answers(socket, 1).await;
    }
}

#[tokio::test]
async fn a_replica_that_leaves_sends_its_clients_to_others_a_few_at_a_time() {
    let Some(mut fixture) = Fixture::new(&["--socket-drain=2s", "--drain-timeout=10s"]).await else { return };
    let clients = fixture.clients(10).await;
    eventually("all clients are counted", async || when(fixture.spread().await.iter().sum::<f64>() == 30.0)).await;
    let leaver = fixture.replicas.remove(0);
    let leaving = leaver.clients().await;
    assert!(leaving > 0.0);
    leaver.leave().await.expect("the shutdown failed");
    eventually("all clients are connected to the other replicas", async || when(fixture.spread().await.iter().sum::<f64>() == 30.0)).await;

    let drained: Vec<&Socket> = clients.iter().filter(|socket| !socket.events("server:draining").is_empty()).collect();
    assert_eq!(drained.len() as f64, leaving);
    let mut ends = Vec::new();
    for socket in &drained {
        let received = socket.history();
        let warned = received.iter().find(|message| message.event.as_deref() == Some("server:draining")).unwrap();
        let after = warned.args.as_ref().unwrap()[0]["reconnect_after_ms"].as_u64().unwrap();
        assert!(after <= 2000, "{after}");
        let end = socket.of_kind(Kind::Disconnect)[0].clone();
        assert_eq!(socket.of_kind(Kind::Disconnect).len(), 1, "{received:?}");
        // No WebSocket ends more than 50 ms before the announced time. A polling client may move earlier: when the leaving replica
        // refuses the client's next poll, the edge sends the poll to another replica.
        let is_polling = clients.iter().step_by(3).any(|polling| polling.is(socket));
        assert!(is_polling || end.at + 50 >= warned.at + after, "{} {} {after}", end.at, warned.at);
        assert!(end.message.as_deref().is_some_and(|reason| reason.starts_with("transport")), "{end:?}");
        assert_eq!(socket.of_kind(Kind::Connect).len(), 2, "{received:?}");
        ends.extend((!is_polling).then_some(end.at));
    }
    let others = clients.iter().filter(|socket| socket.of_kind(Kind::Connect).len() == 1).count();
    assert_eq!(others as f64, 30.0 - leaving);
    let apart = ends.iter().max().unwrap() - ends.iter().min().unwrap();
    assert!(leaving < 5.0 || apart > 200, "{apart} {ends:?}");
    fixture.assert_reaches_all(&clients, 1).await;
}

#[tokio::test]
async fn replicas_are_replaced_one_after_the_other_and_no_client_is_lost() {
    let Some(mut fixture) = Fixture::new(&["--socket-drain=1s", "--drain-timeout=10s"]).await else { return };
    let clients = fixture.clients(4).await;
    for number in 1..=2 {
        fixture.replicas.remove(0).leave().await.expect("the shutdown failed");
        eventually("all clients are connected to the other replicas", async || {
            when(fixture.spread().await.iter().sum::<f64>() == clients.len() as f64)
        })
        .await;
        fixture.assert_reaches_all(&clients, number * 10).await;
    }
    // One replica is left, and the edge sends all clients to it.
    for socket in &clients {
        assert_answers(socket, 7).await;
    }
    assert_eq!(fixture.spread().await, [clients.len() as f64]);
    let late = fixture.sockets.to(&fixture.edge.url()).sticky().token(&fixture.ada.token).connected().await;
    late.upgraded().await;
    assert_eq!(late.emit("ping", json!({ "at": 1 })).await["at"], 1);
}

#[tokio::test]
async fn a_replica_that_stops_closes_the_connections_of_every_transport_in_time() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::with(&["--drain-delay=0s", "--socket-drain=1s", "--drain-timeout=5s"]).await;
    let ada = app.user("ada").await;
    // A client that never connects, a polling client, a client with a WebSocket, and a raw WebSocket that is not authenticated.
    let silent = sockets.to(&app.url()).option("autoConnect", json!(false)).open();
    let polling = sockets.to(&app.url()).polling().token(&ada.token).connected().await;
    let upgraded = sockets.connect(&app, &ada.token).await;
    upgraded.upgraded().await;
    let mut raw = crate::support::RawSocket::open(app.address, crate::support::raw_socket::WEBSOCKET, &[]).await;
    app.until_clients(2).await;
    tokio::time::timeout(Duration::from_secs(8), app.leave()).await.expect("the shutdown took too long").expect("the shutdown failed");
    polling.closed().await;
    upgraded.closed().await;
    raw.closed().await;
    assert!(silent.history().is_empty());
}

/// Asserts that each WebSocket client has reconnected once, that all clients are connected, and that every replica reaches them.
async fn assert_all_came_back(fixture: &Fixture, clients: &[Socket]) {
    // The first of every three clients polls. It need not reconnect if its next poll reaches the same replica.
    let over_websocket = || clients.iter().enumerate().filter(|(number, _)| number % 3 != 0).map(|(_, socket)| socket);
    eventually("all clients have reconnected", async || when(over_websocket().all(|socket| socket.of_kind(Kind::Connect).len() == 2)))
        .await;
    eventually("all clients are counted", async || when(fixture.spread().await.iter().sum::<f64>() == clients.len() as f64)).await;
    for socket in over_websocket() {
        assert_eq!(socket.of_kind(Kind::Disconnect).len(), 1, "{:?}", socket.history());
    }
    fixture.assert_reaches_all(clients, 1).await;
}

/// Clients of each way to connect, with all upgrades completed.
async fn settled(fixture: &Fixture) -> Vec<Socket> {
    let clients = fixture.clients(3).await;
    for upgrading in clients.iter().skip(2).step_by(3) {
        upgrading.upgraded().await;
    }
    clients
}

#[tokio::test]
async fn the_edge_sends_a_close_frame_before_it_stops_and_clients_return_when_it_is_back() {
    // Frequent pings shorten two waits: the edge stops only when its long polls have ended, and a client whose poll was interrupted is
    // counted as connected until a ping times out.
    let Some(mut fixture) = Fixture::new(&["--socket-ping-interval=2s"]).await else { return };
    let clients = settled(&fixture).await;
    let mut raw = RawSocket::connected(fixture.edge.address, &fixture.ada.token).await;
    let ended = fixture.edge.stop().await;
    assert!(ended.success(), "{ended}");
    assert_eq!(raw.closed().await, Some(GOING_AWAY));
    drop(raw);
    fixture.edge.start_again().await;
    assert_all_came_back(&fixture, &clients).await;
}

#[tokio::test]
async fn a_reload_of_the_edge_answers_no_request_with_an_error_and_clients_reconnect() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let clients = settled(&fixture).await;
    let mut raw = RawSocket::connected(fixture.edge.address, &fixture.ada.token).await;
    let reloaded = AtomicBool::new(false);
    let asking = async || {
        let mut asked = 0;
        while !reloaded.load(Ordering::Relaxed) {
            // Caddy resets some connections that arrive during the reload. Browsers retry such a request, so this loop does too.
            if let Ok(answer) = fixture.edge.get("/version").header("connection", "close").try_answer().await {
                answer.expect(200);
                asked += 1;
            }
        }
        asked
    };
    let reload = async {
        fixture.edge.reload().await;
        reloaded.store(true, Ordering::Relaxed);
    };
    let ((), first, second) = tokio::join!(reload, asking(), asking());
    assert!(first > 0 && second > 0);
    assert_eq!(raw.closed().await, Some(GOING_AWAY));
    assert_all_came_back(&fixture, &clients).await;
}

#[tokio::test]
async fn a_reload_keeps_sockets_open_where_configured() {
    let Some(mut fixture) = Fixture::new(&[]).await else { return };
    let addresses: Vec<_> = fixture.replicas.iter().map(|replica| replica.address).collect();
    fixture.edge = Edge::with(&addresses, &[("EDGE_STREAM_CLOSE_DELAY", "1h")]).await.unwrap();
    let dial = || fixture.sockets.to(&fixture.edge.url()).websocket().token(&fixture.ada.token);
    let clients = join_all((0..9).map(|_| dial().connected())).await;
    fixture.edge.reload().await;
    fixture.assert_reaches_all(&clients, 1).await;
    for socket in &clients {
        assert_answers(socket, 1).await;
        assert!(socket.of_kind(Kind::Disconnect).is_empty(), "{:?}", socket.history());
    }
}
