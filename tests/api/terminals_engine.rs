//! Terminals of sessions over Socket.IO, on a real container engine: a program ends when its client disconnects, and waits while the
//! client does not read.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::app::configuration;
use crate::support::driver_fixture::{Namespace, has_engine};
use crate::support::raw_socket::{RawSocket, Received};
use crate::support::socket_client::Sockets;
use crate::support::{Stores, Studio, TestApp, eventually, when};
use crate::terminals::{At, sized, statuses, typed};

/// The service with the `docker` driver, the namespace that removes its containers when dropped, and a client of the engine. `None`
/// without an engine.
async fn on_engine() -> Option<(TestApp, Namespace, bollard::Docker)> {
    if !has_engine() {
        return None;
    }
    let stores = Stores::new().await;
    let namespace = format!("--environment-namespace=test-{}", &Uuid::new_v4().simple().to_string()[..12]);
    // Pings are rare, because one test fills the queue of a client: the service disconnects a client if its queue is full when a ping
    // is due.
    let arguments = ["--environment-driver=docker", &namespace, "--environment-timeout=30s", "--socket-ping-interval=1m"];
    let config = configuration(&stores, &arguments);
    let made = Namespace::of(&config)?;
    let client = bollard::Docker::connect_with_unix(config.docker_host.path(), 60, bollard::API_DEFAULT_VERSION).unwrap();
    Some((TestApp::on(&stores, &arguments).await, made, client))
}

/// The processes of a container with their command lines, as the engine reports them.
async fn processes(client: &bollard::Docker, container: &str) -> String {
    let top = client.top_processes(container, None::<bollard::query_parameters::TopOptions>).await.unwrap();
    top.processes.unwrap_or_default().into_iter().flatten().collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_socket_that_is_gone_leaves_no_program_behind() {
    let Some(sockets) = Sockets::start() else { return };
    let Some((app, made, client)) = on_engine().await else { return };
    let studio = Studio::open(&app).await;
    let environment = studio.running("web").await;
    let container = format!("{}-{environment}", made.name());
    let (left, closed) = (studio.session(&environment, "shell").await, studio.session(&environment, "shell").await);
    let (ada, tab) = (sockets.connect(&app, &studio.user.token).await, sockets.connect(&app, &studio.user.token).await);
    for (socket, session) in [(&ada, &left), (&tab, &closed)] {
        let at = At::open(socket, session).await;
        at.types("echo rea''dy; sleep 4711\r").await;
        at.sees("\nready").await;
    }
    let asleep = async || processes(&client, &container).await.matches("sleep 4711").count();
    eventually("both programs are running", async || when(asleep().await == 2)).await;
    ada.kill();
    eventually("one program has ended", async || when(asleep().await == 1)).await;
    assert_eq!(tab.emit("session:close", json!({ "session_id": closed })).await, json!({}));
    // The script of a terminal and its program need not end at the same moment, so the probe waits for both.
    eventually("no process is left", async || {
        let running = processes(&client, &container).await;
        when(!running.contains("terminal-") && !running.contains("sleep 4711"))
    })
    .await;
    assert_eq!(statuses(&studio, &environment).await, ["closed", "active"]);
}

#[tokio::test]
async fn a_client_that_does_not_read_slows_its_program_and_loses_nothing() {
    const LINES: usize = 2_000_000;
    let Some((app, ..)) = on_engine().await else { return };
    let studio = Studio::open(&app).await;
    let environment = studio.running("web").await;
    let session = studio.session(&environment, "shell").await;
    let mut ada = RawSocket::slow(app.address, &studio.user.token).await;
    // Answers the first ping. The service sends it when the connection opens, and `slow` skips it.
    ada.text("3").await;
    ada.text(&format!("42{}", json!(["session:open", sized(&session, 80, 24)]))).await;
    ada.until_text("42[\"session:output\"").await;
    ada.text(&format!("42{}", json!(["session:input", typed(&session, &format!("stty -onlcr; seq {LINES}\r"))]))).await;
    let sent = async || app.scrape().await.get("websocket_messages_total", &[("event_type", "session:output"), ("direction", "out")]);
    let mut looks = vec![0.0];
    eventually("no more output is sent", async || {
        looks.push(sent().await);
        when(looks.ends_with(&[looks[looks.len() - 1]; 10]))
    })
    .await;
    let sent_unread = looks[looks.len() - 1];

    // `events` includes the first output, which `until_text` has read.
    let (mut events, mut unread) = (1.0, 0);
    let mut screen = String::new();
    let last = format!("\n{LINES}\n");
    while !screen[screen.len().saturating_sub(32 << 10)..].contains(&last) {
        match ada.next().await {
            Received::Text(text) if text == "2" => ada.text("3").await,
            Received::Text(text) if text.starts_with("42[\"session:output\"") => {
                let event: Value = serde_json::from_str(&text[2..]).unwrap();
                screen.push_str(event[1]["data"].as_str().unwrap());
                events += 1.0;
                if events <= sent_unread {
                    unread = screen.len();
                }
            }
            Received::Text(_) => {}
            end => panic!("{end:?} after {} bytes", screen.len()),
        }
    }
    let lines = screen[screen.find("\n1\n").unwrap() + 1..].lines().take(LINES);
    assert!(lines.eq((1..=LINES).map(|line| line.to_string())), "every line must arrive, in order");
    assert!(
        unread < screen.len() / 2,
        "the program must wait before it has written half of its output: {unread} of {} bytes",
        screen.len()
    );
}
