//! Events of clients. Valid events are answered in order. Events with an unknown name or a wrong or binary payload, and events above the
//! rate limit, are refused and counted under a label value that no client can choose. They affect no other client.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::sockets::assert_answers;
use crate::support::{Scrape, Socket, Sockets, TestApp, eventually, when};

/// A replica, a user with a client, and a neighbour who must not be affected.
struct Fixture {
    app: TestApp,
    ada: Socket,
    neighbour: Socket,
    before: Scrape,
    sockets: Sockets,
    token: String,
}

impl Fixture {
    async fn new(arguments: &[&str]) -> Option<Self> {
        let sockets = Sockets::start()?;
        let app = TestApp::with(arguments).await;
        let (ada, eve) = (app.user("ada").await, app.user("eve").await);
        let token = ada.token.clone();
        let ada = sockets.to(&app.url()).websocket().token(&ada.token).connected().await;
        let neighbour = sockets.to(&app.url()).websocket().token(&eve.token).connected().await;
        let before = app.settled().await;
        Some(Self { app, ada, neighbour, before, sockets, token })
    }

    async fn grown(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.app.scrape().await.since(&self.before, name, labels)
    }

    /// Asserts that both clients are still connected and served, that no error of the service was counted, and that no `websocket*`
    /// series was created.
    async fn assert_unharmed(&self) {
        for socket in [&self.ada, &self.neighbour] {
            assert_answers(socket, 99).await;
        }
        self.app.until_clients(2).await;
        self.app.assert_unharmed(&self.before).await;
        let names =
            |scrape: &Scrape| -> BTreeSet<_> { scrape.series().into_iter().filter(|(name, _)| name.starts_with("websocket")).collect() };
        assert_eq!(names(&self.app.scrape().await), names(&self.before));
    }
}

#[tokio::test]
async fn an_unknown_event_is_refused_and_counted_without_its_name() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let names = ["nothing", "", "Ping", "ping ", "unknown", "pong", "message", "__proto__", "constructor", "écran", &"n".repeat(10_000)];
    for name in names {
        assert_eq!(fixture.ada.emit_refused(name, json!({})).await, "unknown_event", "{name}");
    }
    let count = names.len() as f64;
    assert_eq!(fixture.grown("websocket_errors_total", &[("error_type", "unknown_event")]).await, count);
    assert_eq!(fixture.grown("websocket_messages_total", &[("event_type", "unknown"), ("direction", "in")]).await, count);
    assert_eq!(fixture.grown("websocket_messages_total", &[]).await, count);
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn a_payload_of_the_wrong_shape_is_refused_and_the_error_names_the_field() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let payloads = [
        (json!({}), "at", "required"),
        (json!({ "at": "1" }), "at", "invalid"),
        (json!({ "at": null }), "at", "invalid"),
        (json!({ "at": 1, "more": true }), "more", "unknown"),
        (json!([1]), ".", "invalid"),
        (json!([{ "at": 1 }]), ".", "invalid"),
        (json!("at"), ".", "invalid"),
        (json!(1), ".", "invalid"),
        (json!(null), ".", "invalid"),
        (json!({ "at": { "$bytes": "AAEC" } }), ".", "invalid"),
        (json!({ "$bytes": "AAEC" }), ".", "invalid"),
    ];
    for (payload, field, code) in &payloads {
        let error = &fixture.ada.emit("ping", payload.clone()).await["error"];
        assert_eq!(
            (&error["code"], &error["errors"][0]["field"], &error["errors"][0]["code"]),
            (&json!("validation_failed"), &json!(field), &json!(code)),
            "{payload} {error}"
        );
        assert!(error["title"].as_str().is_some_and(|title| !title.is_empty()), "{error}");
    }
    assert_eq!(fixture.grown("websocket_errors_total", &[("error_type", "refused")]).await, payloads.len() as f64);
    assert_eq!(fixture.ada.events("pong"), Vec::<Value>::new());
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn the_first_argument_is_the_payload() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    for args in [vec![], vec![json!(null), json!({ "at": 1 })], vec![json!(1); 100]] {
        let answer = fixture.ada.emit_all("ping", &args).await.unwrap();
        assert_eq!(answer[0]["error"]["code"], "validation_failed", "{args:?} {answer:?}");
    }
    let answer = fixture.ada.emit_all("ping", &[json!({ "at": 1 }), json!({ "at": 2 }), json!("more")]).await.unwrap();
    assert_eq!((answer.len(), &answer[0]["at"]), (1, &json!(1)));
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn extreme_numbers_are_returned() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    for at in ["0", "-0.0", "-1", "0.1", "1e308", "9007199254740993", "18446744073709551615", "-9223372036854775809"] {
        let payload: Value = serde_json::from_str(&format!("{{\"at\":{at}}}")).unwrap();
        let answer = fixture.ada.emit("ping", payload.clone()).await;
        assert_eq!(answer["at"].as_f64(), payload["at"].as_f64(), "{at} {answer}");
    }
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn without_an_acknowledgement_only_a_valid_event_is_answered() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    fixture.ada.send("nothing", json!({}));
    fixture.ada.send("ping", json!([]));
    fixture.ada.send("ping", json!({ "at": 7 }));
    fixture.ada.until("pong", |pong| pong["at"] == 7).await;
    assert_eq!(fixture.ada.events("pong").len(), 1);
    assert_eq!(fixture.grown("websocket_errors_total", &[]).await, 2.0);
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn events_are_answered_in_their_order() {
    let Some(fixture) = Fixture::new(&["--socket-events-per-second=1000"]).await else { return };
    for at in 0..60 {
        fixture.ada.send("ping", json!({ "at": at }));
    }
    fixture.ada.until("pong", |pong| pong["at"] == 59).await;
    let order: Vec<u64> = fixture.ada.events("pong").iter().map(|pong| pong["at"].as_u64().unwrap()).collect();
    assert_eq!(order, (0..60).collect::<Vec<_>>());
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn a_client_that_sends_too_many_events_gets_an_error_and_no_other_is_affected() {
    let Some(fixture) = Fixture::new(&["--socket-events-per-second=5"]).await else { return };
    let flood = join_all((0..60).map(|at| fixture.ada.emit("ping", json!({ "at": at }))));
    let (answers, ()) = tokio::join!(flood, assert_answers(&fixture.neighbour, 1));
    let refused = answers.iter().filter(|answer| answer["error"]["code"] == "too_many_events").count();
    let answered = answers.iter().filter(|answer| answer["server_at"].is_u64()).count();
    assert_eq!(refused + answered, 60, "{answers:?}");
    // The limit admits ten events at once, twice its rate. A slow machine needs longer to send all 60, so the limit admits more of them.
    assert!(answered >= 10 && refused >= 20, "{answered} {refused}");
    assert_eq!(fixture.grown("rate_limited_total", &[("limiter", "socket_events")]).await, refused as f64);
    assert_eq!(fixture.grown("websocket_errors_total", &[("error_type", "too_many_events")]).await, refused as f64);
    assert_eq!(fixture.grown("websocket_messages_total", &[("direction", "in")]).await, 61.0);
    let again = async || fixture.ada.emit("ping", json!({ "at": 1 })).await["server_at"].is_u64();
    eventually("the client may send again", async || when(again().await)).await;
    assert_answers(&fixture.neighbour, 2).await;
    fixture.app.assert_unharmed(&fixture.before).await;
}

#[tokio::test]
async fn a_client_that_keeps_sending_too_many_events_is_disconnected_and_may_reconnect() {
    let Some(fixture) = Fixture::new(&["--socket-events-per-second=5"]).await else { return };
    for at in 0..1000 {
        fixture.ada.send("ping", json!({ "at": at }));
    }
    assert!(fixture.ada.closed().await.starts_with("transport"));
    fixture.app.until_clients(1).await;
    assert_eq!(fixture.grown("websocket_disconnections_total", &[("reason", "flood")]).await, 1.0);
    assert_eq!(fixture.grown("websocket_disconnections_total", &[]).await, 1.0);
    assert_answers(&fixture.neighbour, 1).await;
    assert_answers(&fixture.sockets.to(&fixture.app.url()).websocket().token(&fixture.token).connected().await, 1).await;
    fixture.app.assert_unharmed(&fixture.before).await;
}
