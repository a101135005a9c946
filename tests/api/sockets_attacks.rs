//! Hostile socket traffic: frames and packets that are malformed, too large or too many. The service answers them, ignores them, or ends
//! their connection; other clients are unaffected. `sockets_slow` covers clients that are too slow.

use std::time::Duration;

use crate::sockets::assert_answers;
use crate::support::attack::Fixture;
use crate::support::raw_socket::{BINARY, CLOSE, PING, Received, TEXT, WEBSOCKET, head};
use crate::support::{Ask, RawSocket};

/// Time limit for the service to close a connection after bad input. The service closes the connection of a silent client later than this.
const CLOSE_LIMIT: Duration = Duration::from_secs(8);

/// Packets of Engine.IO and Socket.IO that are malformed, out of place, or that end the connection.
fn malformed() -> Vec<Vec<u8>> {
    let mut packets: Vec<Vec<u8>> = [
        "",
        "7",
        "9",
        "x",
        "0",
        "0{}",
        "5",
        "6",
        "2probe",
        "3probe",
        "4",
        "4x",
        "47",
        "49",
        "4-1",
        "44",
        "44\"why\"",
        "42",
        "42x",
        "42[",
        "42]",
        "42{}",
        "42[]",
        "42[1]",
        "42[null]",
        "42[[]]",
        "42[{}]",
        "42\"ping\"",
        "420",
        "42999999999999999999999[\"ping\"]",
        "42-1[\"ping\"]",
        "42[\"ping\"",
        "42[\"ping\",]",
        "42[\"ping\",{\"at\":}]",
        "42[\"ping\",{\"at\":1e999}]",
        "42[\"\\ud800\"]",
        "420[\"a\\nb\"]",
        "420[\"\\u0000\",{}]",
        "43",
        "431",
        "43[]",
        "431[]",
        "43999999999999999999999[]",
        "45",
        "45-",
        "451",
        "451-",
        "451-[]",
        "451-[\"ping\"]",
        "451-[\"ping\",{\"_placeholder\":true}]",
        "450-[\"ping\",{\"_placeholder\":true,\"num\":0}]",
        "451-[\"ping\",{\"_placeholder\":true,\"num\":7}]",
        "451-[\"ping\",{\"_placeholder\":true,\"num\":-1}]",
        "4599999999999999999999-[\"ping\"]",
        "4510001-[\"ping\"]",
        "46",
        "461-",
        "461-1[]",
        "4/",
        "42/",
        "42/admin,[\"ping\",{}]",
        "42/admin",
        "41/admin,",
        "42/é,[\"ping\"]",
        "42é",
        "4é",
        "é",
        "40",
        "40{\"token\":1}",
        "40[]",
        "40x",
        "40/admin,",
        "40/é,{}",
        "41",
        "1",
    ]
    .iter()
    .map(|packet| packet.as_bytes().to_vec())
    .collect();
    let deep = format!("42[\"ping\",{}{}]", "[".repeat(20_000), "]".repeat(20_000));
    packets.push(deep.into_bytes());
    packets.push(format!("42[\"ping\",{}]", "{\"a\":".repeat(10_000)).into_bytes());
    packets.push(format!("42[\"ping\"{}]", ",1".repeat(40_000)).into_bytes());
    packets.push(b"42[\"ping\",\xff\xfe]".to_vec());
    packets.push(b"\xc3".to_vec());
    packets
}

#[tokio::test]
async fn an_invalid_packet_ends_at_most_its_own_websocket() {
    let Some(fixture) = Fixture::new(&["--socket-events-per-second=1000"]).await else { return };
    for packet in malformed() {
        for connected in [false, true] {
            for opcode in [TEXT, BINARY] {
                let mut socket = if connected { fixture.connected().await } else { fixture.open().await };
                socket.frame(opcode, &packet).await;
                // Whether or not this connection survives, no other one may be affected.
                socket.frame(opcode, &packet).await;
                socket.text("41").await;
                socket.frame(CLOSE, &1000_u16.to_be_bytes()).await;
                socket.closed().await;
            }
        }
        assert_answers(&fixture.honest, 1).await;
    }
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn an_invalid_packet_ends_at_most_its_own_polling_connection() {
    let Some(fixture) = Fixture::new(&["--socket-events-per-second=1000"]).await else { return };
    for packet in malformed() {
        for connected in [false, true] {
            let poll = fixture.poll().await;
            if connected {
                poll.connect(&fixture.eve).await;
            }
            let status = poll.post(packet.clone()).await;
            assert!([200, 400, 413].contains(&status), "{status} {:?}", String::from_utf8_lossy(&packet));
            poll.post("1").await;
        }
        assert_answers(&fixture.honest, 1).await;
    }
    for body in ["\u{1e}", "\u{1e}\u{1e}\u{1e}", "b", "b====", "bAAEC\u{1e}bAAEC", "40\u{1e}40\u{1e}41\u{1e}42[\"ping\"]"] {
        let poll = fixture.poll().await;
        let status = poll.post(body).await;
        assert!([200, 400].contains(&status), "{status} {body:?}");
        poll.post("1").await;
    }
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn an_invalid_frame_closes_its_connection() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let no_mask = b"\x81\x0240".to_vec();
    let frames = [
        ("a reserved opcode", [head(0x83, 2), b"40".to_vec()].concat()),
        ("a reserved bit", [head(0xc1, 2), b"40".to_vec()].concat()),
        ("a frame without a mask", no_mask),
        ("a long ping", [head(0x80 | PING, 126), vec![0; 126]].concat()),
        ("a fragmented ping", [head(PING, 1), vec![0; 1]].concat()),
        ("a fragment without a beginning", [head(0x80, 2), b"40".to_vec()].concat()),
        ("a second beginning", [head(TEXT, 2), b"40".to_vec(), head(TEXT, 2), b"40".to_vec()].concat()),
        ("text that is not UTF-8", [head(0x80 | TEXT, 2), b"\xff\xff".to_vec()].concat()),
        ("a request instead of a frame", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("an impossible length", [vec![0x81, 0xff], vec![0xff; 8], vec![0; 4]].concat()),
    ];
    for (name, bytes) in frames {
        for mut socket in [fixture.open().await, fixture.connected().await] {
            socket.bytes(&bytes).await;
            tokio::time::timeout(CLOSE_LIMIT, socket.closed()).await.unwrap_or_else(|_| panic!("{name} does not end the connection"));
        }
    }
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_even_before_it_is_complete() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    // A complete message slightly above the limit, frames that announce more bytes than they contain, and a message in many fragments.
    let mut whole = fixture.connected().await;
    whole.frame(TEXT, format!("42[\"ping\",\"{}\"]", "x".repeat(100_000)).as_bytes()).await;
    whole.closed().await;
    for size in [101_000, 10_000_000, u64::from(u32::MAX), 1 << 62] {
        let mut claimed = fixture.connected().await;
        claimed.bytes(&head(0x80 | TEXT, size)).await;
        claimed.bytes(b"42[\"ping\",\"").await;
        claimed.closed().await;
    }
    let mut pieces = fixture.connected().await;
    pieces.bytes(&[head(TEXT, 3), b"42[".to_vec()].concat()).await;
    for _ in 0..20 {
        pieces.bytes(&[head(0, 10_000), vec![b' '; 10_000]].concat()).await;
    }
    pieces.closed().await;
    // A message below the limit is handled.
    let mut largest = fixture.connected().await;
    largest.text(&format!("420[\"ping\",\"{}\"]", "x".repeat(90_000))).await;
    assert!(largest.until_text("430").await.contains("validation_failed"));
    drop(largest);
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_with_413_and_ends_its_polling_connection() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    for size in [101_000, 10_000_000] {
        let poll = fixture.poll().await;
        poll.connect(&fixture.eve).await;
        // The server may close the connection while the rest of the request is in transit.
        let answer = fixture.app.post(&poll.path).body("4".repeat(size)).try_answer().await;
        if let Ok(answer) = answer {
            assert_eq!(answer.status, 413);
        }
        assert_eq!(poll.get().await.status, 400);
    }
    let mut raw = fixture.app.raw().await;
    let poll = fixture.poll().await;
    raw.send(format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n{}", poll.path, "4".repeat(150_000))).await;
    assert_eq!(raw.answer().await.status, 413);
    drop(raw);
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn concurrent_polls_and_a_second_websocket_do_not_affect_other_clients() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let poll = fixture.poll().await;
    poll.connect(&fixture.eve).await;
    let (first, second) = tokio::join!(poll.get(), poll.get());
    assert!(first.status == 400 || second.status == 400, "{} {}", first.status, second.status);

    let poll = fixture.poll().await;
    poll.connect(&fixture.eve).await;
    let path = poll.path.replace("polling", "websocket");
    let (mut one, mut other) =
        tokio::join!(RawSocket::open(fixture.app.address, &path, &[]), RawSocket::open(fixture.app.address, &path, &[]));
    // Both clients skip the first message of an upgrade.
    one.text("42[\"ping\",{\"at\":1}]").await;
    other.text("3probe").await;
    one.closed().await;
    other.closed().await;
    // Identifiers that are guessed, invalid or empty.
    for sid in ["AAAAAAAAAAAAAAHs", "x", ""] {
        let (answer, raw) = RawSocket::ask(fixture.app.address, &format!("{WEBSOCKET}&sid={sid}"), &[]).await;
        if answer.status == 101 {
            drop(raw);
        } else {
            assert_eq!(answer.status, 400);
        }
    }
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn a_second_websocket_of_a_socket_does_not_protect_the_first_one_from_the_end_of_its_session() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let mut begun = fixture.open().await;
    let open = begun.until_text("0{").await;
    let open: serde_json::Value = open[1..].parse().unwrap();
    let begun_path = format!("{WEBSOCKET}&sid={}", open["sid"].as_str().unwrap());
    begun.text(&format!("40{{\"token\":\"{}\"}}", fixture.eve.token)).await;

    let poll = fixture.poll().await;
    poll.connect(&fixture.eve).await;
    let upgraded_path = poll.path.replace("polling", "websocket");
    let mut upgraded = RawSocket::open(fixture.app.address, &upgraded_path, &[]).await;
    upgraded.text("2probe").await;
    upgraded.until_text("3probe").await;
    upgraded.text("5").await;

    for (socket, path) in [(&mut begun, begun_path), (&mut upgraded, upgraded_path)] {
        socket.text("420[\"ping\",{\"at\":1}]").await;
        socket.until_text("430").await;
        let mut second = RawSocket::open(fixture.app.address, &path, &[]).await;
        assert_eq!(second.next().await, Received::End);
    }
    fixture.app.post("/api/auth/logout").bearer_auth(&fixture.eve.token).answer().await.expect(204);
    for (name, mut socket) in [("direct", begun), ("upgraded", upgraded)] {
        tokio::time::timeout(CLOSE_LIMIT, socket.closed()).await.unwrap_or_else(|_| panic!("the {name} websocket is still open"));
    }
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn an_event_with_too_many_attachments_ends_its_connection() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let mut socket = fixture.open().await;
    // Before authentication: 9 MB in binary messages.
    socket.text("4510000-[\"ping\",{\"_placeholder\":true,\"num\":0}]").await;
    for _ in 0..100 {
        socket.frame(BINARY, &vec![0; 90_000]).await;
    }
    tokio::time::timeout(CLOSE_LIMIT, socket.closed()).await.expect("the connection was not closed");
    fixture.assert_unharmed().await;
}

#[tokio::test]
async fn a_repeated_connect_has_no_effect() {
    let Some(fixture) = Fixture::new(&[]).await else { return };
    let mut socket = fixture.connected().await;
    let connect = format!("40{{\"token\":\"{}\"}}", fixture.eve.token);
    for _ in 0..10 {
        socket.text(&connect).await;
    }
    socket.text("420[\"ping\",{\"at\":1}]").await;
    socket.until_text("430").await;
    let scrape = fixture.app.scrape().await;
    assert_eq!(scrape.since(&fixture.before, "websocket_connections_total", &[]), 1.0);
    // Leaving and connecting again makes a new connection, and the old one has ended.
    socket.text("41").await;
    socket.text(&connect).await;
    socket.until_text("40").await;
    let scrape = fixture.app.scrape().await;
    assert_eq!(scrape.since(&fixture.before, "websocket_connections_total", &[]), 2.0);
    assert_eq!(scrape.since(&fixture.before, "websocket_disconnections_total", &[("reason", "client")]), 1.0);
    drop(socket);
    fixture.assert_unharmed().await;
}
