//! Hostile socket clients, and an honest client that they must not affect.

use serde_json::Value;

use super::raw_socket::WEBSOCKET;
use super::{Answer, Ask, RawSocket, Scrape, Socket, Sockets, TestApp, User, eventually, when};
use crate::sockets::assert_answers;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// A replica, the account that the hostile clients use, and the connected client of an honest user.
pub struct Fixture {
    pub app: TestApp,
    pub eve: User,
    pub honest: Socket,
    pub before: Scrape,
    pub sockets: Sockets,
}

impl Fixture {
    pub async fn new(arguments: &[&str]) -> Option<Self> {
        let sockets = Sockets::start()?;
        let app = TestApp::emitting(arguments).await;
        let (ada, eve) = (app.user("ada").await, app.user("eve").await);
        let honest = sockets.connect(&app, &ada.token).await;
        honest.upgraded().await;
        let before = app.settled().await;
        Some(Self { app, eve, honest, before, sockets })
    }

    /// A WebSocket without a Socket.IO connection.
    pub async fn open(&self) -> RawSocket {
        RawSocket::open(self.app.address, WEBSOCKET, &[]).await
    }

    pub async fn connected(&self) -> RawSocket {
        RawSocket::connected(self.app.address, &self.eve.token).await
    }

    /// Opens a polling connection.
    pub async fn poll(&self) -> Poll<'_> {
        let open: Value = self.app.get(POLLING).answer().await.expect(200).text()[1..].parse().unwrap();
        Poll { app: &self.app, path: format!("{POLLING}&sid={}", open["sid"].as_str().unwrap()) }
    }

    /// Waits until the attackers' connections are closed, and asserts that the honest client is connected and that no failure was counted.
    pub async fn assert_unharmed(&self) {
        assert_answers(&self.honest, 99).await;
        self.app.assert_unharmed(&self.before).await;
        self.app.until_clients(1).await;
        eventually("only the honest client's connection is open", async || {
            when(self.app.scrape().await.get("active_connections", &[]) <= 2.0)
        })
        .await;
    }
}

/// A polling connection.
pub struct Poll<'a> {
    app: &'a TestApp,
    pub path: String,
}

impl Poll<'_> {
    pub async fn post(&self, body: impl Into<reqwest::Body>) -> u16 {
        self.app.post(&self.path).body(body).answer().await.status
    }

    pub async fn get(&self) -> Answer {
        self.app.get(&self.path).answer().await
    }

    pub async fn connect(&self, user: &User) {
        assert_eq!(self.post(format!("40{{\"token\":\"{}\"}}", user.token)).await, 200);
        let mut received = String::new();
        while !received.contains("40{\"sid\"") {
            received.push_str(&self.get().await.expect(200).text());
        }
    }
}
