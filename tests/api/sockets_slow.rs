//! Socket clients that are silent or too slow. They time out, are disconnected, or lose events. Other clients are unaffected.

use std::time::Duration;

use futures_util::future::join_all;

use crate::sockets::assert_answers;
use crate::support::attack::Fixture;
use crate::support::raw_socket::Received;
use crate::support::realtime::{EMITTED, numbers};
use crate::support::{RawSocket, eventually, when, within};

#[tokio::test]
async fn a_body_that_does_not_arrive_times_out() {
    let Some(fixture) = Fixture::new(&["--request-timeout=1s"]).await else { return };
    let poll = fixture.poll().await;
    let mut raw = fixture.app.raw().await;
    raw.send(format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n42", poll.path)).await;
    raw.answer().await.problem(408, "body_timeout");
    drop(raw);
    poll.post("1").await;
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn a_client_that_never_authenticates_is_disconnected() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(fixture.open().await);
    }
    let polls = join_all((0..20).map(|_| fixture.poll())).await;
    assert_answers(&fixture.honest, 1).await;
    fixture.app.until_clients(1).await;
    // Wrong tokens do not extend the time limit for authentication.
    for socket in &mut silent[..10] {
        socket.text("40{\"token\":\"wrong\"}").await;
        socket.until_text("44").await;
    }
    join_all(silent.iter_mut().map(RawSocket::closed)).await;
    for poll in &polls {
        eventually("the polling connection is closed", async || when(poll.post("3").await == 400)).await;
    }
    drop(silent);
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_disconnected() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let mut socket = fixture.connected().await;
    let poll = fixture.poll().await;
    poll.connect(&fixture.eve).await;
    fixture.app.until_clients(3).await;
    // The WebSocket client reads every message and answers no ping; the polling client does not even poll.
    while !matches!(socket.next().await, Received::Close(_) | Received::End) {}
    eventually("both clients have timed out", async || {
        let timed_out = [("reason", "heartbeat_timeout")];
        when(fixture.app.scrape().await.get("websocket_disconnections_total", &timed_out) == 2.0)
    })
    .await;
    assert_eq!(fixture.app.scrape().await.get("websocket_errors_total", &[("error_type", "heartbeat")]), 2.0);
    drop(socket);
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_and_no_other_misses_an_event() {
    let Some(fixture) = Fixture::new(&["--write-timeout=1s", "--socket-events-per-second=1000"]).await else { return };
    let mut slow = RawSocket::slow(fixture.app.address, &fixture.eve.token).await;
    let fast = fixture.sockets.to(&fixture.app.url()).websocket().token(&fixture.eve.token).connected().await;
    fixture.app.until_clients(3).await;
    let slow_consumer = [("reason", "slow_consumer")];
    // Emits events until the slow client's queue is full. Before that, the operating system's buffers take some megabytes.
    let mut sent = 0;
    eventually("a message does not fit into the queue", async || {
        fixture.app.emit_events(&fixture.eve, sent + 1, 10, 50_000).await;
        sent += 10;
        fast.until(EMITTED, |payload| payload["number"] == sent).await;
        let scrape = fixture.app.scrape().await;
        when(scrape.get("websocket_messages_dropped_total", &slow_consumer) > 0.0 || scrape.get("websocket_connections_active", &[]) < 3.0)
    })
    .await;
    within(Duration::from_secs(10), "the slow client is disconnected", async || when(fixture.app.clients().await == 2.0)).await;
    assert_eq!(numbers(&fast), (1..=u64::from(sent)).collect::<Vec<_>>());
    assert_eq!(fixture.app.scrape().await.since(&fixture.before, "websocket_disconnections_total", &[]), 1.0);
    fast.leave().await;
    slow.closed().await;
    drop(slow);
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn a_late_poll_receives_the_queue_and_dropped_events_are_counted() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let poll = fixture.poll().await;
    poll.connect(&fixture.eve).await;
    fixture.app.emit_events(&fixture.eve, 1, 500, 10).await;
    let has = |received: &str, number: u32| received.contains(&format!("\"number\":{number}}}"));
    let mut received = String::new();
    eventually("an event emitted after the first poll arrives", async || {
        received.push_str(&poll.get().await.expect(200).text());
        fixture.app.emit_event(&fixture.eve, 1000).await;
        when(has(&received, 1000))
    })
    .await;
    let kept = (1..=500).filter(|number| has(&received, *number)).count();
    let lost = fixture.app.scrape().await.get("websocket_messages_dropped_total", &[("reason", "slow_consumer")]);
    assert!(kept >= 100, "{kept}");
    assert_eq!(kept as f64 + lost, 500.0);
    poll.post("1").await;
    fixture.assert_unharmed().await;
}
