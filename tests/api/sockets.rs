//! Socket.IO connections: access, transports, replies, limits and metrics. See `sockets_events` for invalid events, `sockets_attacks` for
//! hostile clients, and `sockets_edge` for the edge.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::raw_socket::WEBSOCKET;
use crate::support::socket_client::{Dial, Kind};
use crate::support::{Ask, RawSocket, Socket, Sockets, TestApp, eventually, when};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
/// The origin of the default `PUBLIC_URL`.
const OWN_ORIGIN: &str = "http://localhost:8080";

/// The three ways in which clients connect.
pub fn ways(sockets: &Sockets, url: &str) -> [(&'static str, Dial); 3] {
    [
        ("polling", sockets.to(url).sticky().polling()),
        ("websocket", sockets.to(url).sticky().websocket()),
        ("upgraded", sockets.to(url).sticky()),
    ]
}

/// Asserts that the service replies to a `ping` both with an acknowledgement and with a `pong` event.
pub async fn assert_answers(socket: &Socket, at: u64) {
    let answer = socket.emit("ping", json!({ "at": at })).await;
    assert_eq!(answer["at"], at, "{answer}");
    assert!(answer["server_at"].as_u64().is_some_and(|at| at > 1_700_000_000_000), "{answer}");
    socket.until("pong", |pong| *pong == answer).await;
}

#[tokio::test]
async fn a_client_connects_by_every_transport_and_is_answered() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for (way, dial) in ways(&sockets, &app.url()) {
        let socket = dial.token(&ada.token).connected().await;
        if way == "upgraded" {
            socket.upgraded().await;
        }
        assert_answers(&socket, 1).await;
        let carried = if way == "polling" { "polling" } else { "websocket" };
        eventually("the gauge shows the transport", async || {
            when(app.scrape().await.get("websocket_connections_active", &[("transport", carried)]) == 1.0)
        })
        .await;
        socket.leave().await;
        app.until_clients(0).await;
    }
}

#[tokio::test]
async fn the_token_may_be_sent_in_a_cookie_or_a_header() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let login = app.login(&ada.email, crate::support::users::PASSWORD).await.expect(200);
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    let bearer = format!("Bearer {}", ada.token);
    for (name, value) in [("cookie", cookie.as_str()), ("authorization", &bearer)] {
        for dial in [sockets.to(&app.url()).polling(), sockets.to(&app.url()).websocket(), sockets.to(&app.url())] {
            assert_answers(&dial.header(name, value).connected().await, 1).await;
        }
    }
}

#[tokio::test]
async fn an_unauthenticated_client_gets_a_reason_and_is_not_connected() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.post("/api/auth/logout").bearer_auth(&ada.token).answer().await.expect(204);
    let before = app.scrape().await;
    let refusals = [
        (json!({}), "unauthenticated"),
        (json!({ "token": null }), "unauthenticated"),
        (json!({ "token": 5 }), "unauthenticated"),
        (json!([1, 2]), "unauthenticated"),
        (json!({ "token": "" }), "invalid_token"),
        (json!({ "token": "nonsense" }), "invalid_token"),
        (json!({ "token": "x".repeat(50_000) }), "invalid_token"),
        (json!({ "token": ada.token }), "invalid_token"),
    ];
    for (auth, code) in &refusals {
        for dial in [sockets.to(&app.url()).polling(), sockets.to(&app.url()).websocket()] {
            assert_eq!(dial.option("auth", auth.clone()).refused().await, *code, "{auth}");
        }
    }
    let after = app.scrape().await;
    let refused = [("error_type", "authentication")];
    assert_eq!(after.since(&before, "websocket_errors_total", &refused), 2.0 * refusals.len() as f64);
    assert_eq!(after.get("websocket_connections_total", &[]), 0.0);
    assert_eq!(app.clients().await, 0.0);
    app.assert_unharmed(&before).await;
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::with(&["--socket-origins=https://tools.example,http://127.0.0.1:3000"]).await;
    let ada = app.user("ada").await;
    let before = app.scrape().await;
    let foreign = [
        "https://evil.example",
        "null",
        "http://localhost:8081",
        "https://localhost:8080",
        "http://localhost:8080.evil.example",
        "https://tools.example.evil.example",
    ];
    for origin in foreign {
        let origin = format!("Origin: {origin}");
        for path in [POLLING, WEBSOCKET] {
            let (answer, _) = RawSocket::ask(app.address, path, &[&origin]).await;
            assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("cross_site_request")), "{origin}");
        }
    }
    let refused = [("error_type", "origin")];
    assert_eq!(app.scrape().await.since(&before, "websocket_errors_total", &refused), 2.0 * foreign.len() as f64);
    assert_eq!(sockets.to(&app.url()).polling().header("origin", foreign[0]).refused().await, "cross_site_request");
    // A page may connect to the host that it was loaded from, whatever `PUBLIC_URL` is, because it may also call the API there.
    let same = app.url();
    app.post("/api/projects").bearer_auth(&ada.token).header("origin", &same).json(&json!({ "name": "One" })).answer().await.expect(201);
    for origin in [OWN_ORIGIN, &same, "https://tools.example", "http://127.0.0.1:3000"] {
        let socket = sockets.to(&app.url()).header("origin", origin).token(&ada.token).connected().await;
        socket.upgraded().await;
        assert_answers(&socket, 1).await;
    }
}

#[tokio::test]
async fn the_connections_of_an_address_are_limited() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::with(&["--sockets-per-address=2"]).await;
    let ada = app.user("ada").await;
    let first = sockets.to(&app.url()).polling().token(&ada.token).connected().await;
    // A client that is not authenticated yet also holds a permit.
    let second = RawSocket::open(app.address, WEBSOCKET, &[]).await;
    assert_eq!(sockets.to(&app.url()).polling().token(&ada.token).refused().await, "too_many_connections");
    let (answer, _) = RawSocket::ask(app.address, WEBSOCKET, &[]).await;
    let answer = answer.problem(429, "too_many_connections");
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    let elsewhere = "X-Forwarded-For: 192.0.2.7";
    drop(RawSocket::open(app.address, WEBSOCKET, &[elsewhere]).await);
    assert_eq!(app.scrape().await.get("rate_limited_total", &[("limiter", "socket_connections")]), 2.0);
    // Ended connections release their permits, however they ended, and even if they were never authenticated.
    first.leave().await;
    drop(second);
    let mut held = Vec::new();
    eventually("both permits are free again", async || {
        let again = sockets.to(&app.url()).websocket().token(&ada.token).open();
        let let_in =
            eventually("the client is connected or refused", async || again.history().first().map(|record| record.kind == Kind::Connect))
                .await;
        held.extend(let_in.then_some(again));
        when(held.len() == 2)
    })
    .await;
    assert_eq!(sockets.to(&app.url()).polling().refused().await, "too_many_connections");
}

#[tokio::test]
async fn the_connections_of_an_account_are_limited() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::with(&["--sockets-per-user=2"]).await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let held = [sockets.connect(&app, &ada.token).await, sockets.to(&app.url()).polling().token(&ada.token).connected().await];
    let again = async || sockets.to(&app.url()).token(&ada.token).refused().await;
    assert_eq!(again().await, "too_many_connections");
    let of_another_session = app.token(&ada.email).await;
    assert_eq!(sockets.to(&app.url()).token(&of_another_session).refused().await, "too_many_connections");
    assert_answers(&sockets.connect(&app, &eve.token).await, 1).await;
    for socket in &held {
        assert_answers(socket, 1).await;
    }
    assert_eq!(app.scrape().await.get("websocket_errors_total", &[("error_type", "too_many_connections")]), 2.0);
    held[0].leave().await;
    app.until_clients(2).await;
    assert_answers(&sockets.connect(&app, &ada.token).await, 1).await;
}

#[tokio::test]
async fn the_metrics_equal_the_counts_of_the_clients() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::emitting(&[]).await;
    let ada = app.user("ada").await;
    let mut clients = Vec::new();
    for round in 0..4 {
        for (_, dial) in ways(&sockets, &app.url()) {
            let socket = dial.token(&ada.token).connected().await;
            if round == 3 {
                socket.kill();
                socket.closed().await;
            } else {
                clients.push(socket);
            }
        }
    }
    app.until_clients(clients.len()).await;
    let upgraded = async || app.scrape().await.get("websocket_connections_active", &[("transport", "websocket")]) == 6.0;
    eventually("the upgrading clients have upgraded", async || when(upgraded().await)).await;
    join_all(clients.iter().map(async |socket| {
        for at in 1..=5 {
            assert_answers(socket, at).await;
        }
    }))
    .await;
    app.emit_events(&ada, 1, 10, 0).await;
    for socket in &clients {
        socket.until(crate::support::realtime::EMITTED, |payload| payload["number"] == 10).await;
    }
    let received: usize = clients.iter().map(|socket| socket.of_kind(Kind::Event).len()).sum();
    let scrape = app.scrape().await;
    let count = |labels: &[(&str, &str)]| scrape.get("websocket_messages_total", labels);
    assert_eq!(count(&[("direction", "in")]), 9.0 * 5.0);
    assert_eq!(count(&[("direction", "in"), ("event_type", "ping")]), 9.0 * 5.0);
    assert_eq!(count(&[("direction", "out")]), received as f64);
    assert_eq!(count(&[("direction", "out"), ("event_type", "post:delivered")]), 9.0 * 10.0);
    assert_eq!(scrape.get("websocket_handler_duration_seconds_count", &[("event_type", "ping")]), 9.0 * 5.0);
    assert_eq!(scrape.get("websocket_connections_total", &[]), 12.0);
    assert_eq!(scrape.get("websocket_messages_dropped_total", &[]), 0.0);

    join_all(clients.iter().map(Socket::leave)).await;
    app.until_clients(0).await;
    let scrape = app.settled().await;
    let left: Vec<(String, f64)> = scrape.grown(&empty(), "websocket_disconnections_total").into_iter().collect();
    let ended = left.iter().map(|(_, count)| count).sum::<f64>();
    assert_eq!(ended, 12.0, "{left:?}");
    assert_eq!(scrape.get("websocket_disconnections_total", &[("reason", "client")]), 9.0, "{left:?}");
    assert_eq!(scrape.get("active_connections", &[]), 1.0, "only the scrape's connection may be open");
}

fn empty() -> crate::support::Scrape {
    crate::support::Scrape::parse("")
}

#[tokio::test]
async fn polls_and_websockets_are_not_in_the_histograms_of_requests() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for (_, dial) in ways(&sockets, &app.url()) {
        let socket = dial.token(&ada.token).connected().await;
        assert_answers(&socket, 1).await;
        socket.leave().await;
    }
    let scrape = app.settled().await;
    let route = ("route", "/socket.io/");
    assert!(scrape.get("http_requests_total", &[route]) > 5.0);
    for name in ["http_request_duration_seconds_count", "http_response_size_bytes_count", "http_request_size_bytes_count"] {
        assert_eq!(scrape.get(name, &[route]), 0.0, "{name}");
    }
}

#[tokio::test]
async fn other_methods_and_paths_cannot_connect() {
    let app = TestApp::start().await;
    let before = app.scrape().await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::HEAD] {
        let answer = app.request(method.clone(), POLLING).answer().await;
        assert!((400..500).contains(&answer.status), "{method} {}", answer.status);
    }
    for path in
        ["/socket.io", "/socket.io/../api/auth/me", "/socket.io/more?EIO=4&transport=polling", "/socket.io//?EIO=4&transport=polling"]
    {
        let answer = app.get(path).answer().await;
        assert!((400..500).contains(&answer.status), "{path} {}", answer.status);
    }
    for query in [
        "",
        "?",
        "?EIO=4",
        "?transport=polling",
        "?EIO=3&transport=polling",
        "?EIO=5&transport=polling",
        "?EIO=4&transport=carrier-pigeon",
        "?EIO=4&transport=websocket",
        "?EIO=4&transport=polling&sid=unknown",
        "?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAHs",
        "?EIO=4&transport=polling&sid=",
        "?EIO=4&transport=polling&sid=%00%ff",
        "?EIO=%34&transport=polling",
    ] {
        for method in [Method::GET, Method::POST] {
            let answer = app.request(method, &format!("/socket.io/{query}")).body("40").answer().await;
            assert_eq!(answer.status, 400, "{query} {}", answer.text());
        }
    }
    // After these refusals, a valid request still opens a connection.
    let open: Value = app.get(POLLING).answer().await.expect(200).text()[1..].parse().unwrap();
    assert!(open["sid"].is_string() && open["maxPayload"] == 100_000, "{open}");
    app.assert_unharmed(&before).await;
}
