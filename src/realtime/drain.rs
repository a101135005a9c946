//! Draining: a replica that shuts down tells every client when to reconnect, and closes a client's websocket at that time. The times
//! are spread, so that the clients do not all reach the other replicas simultaneously. Polling clients are disconnected at the end.

use std::time::Duration;

use rand::RngExt;
use serde::Serialize;

use super::Realtime;
use super::client::Client;
use crate::metrics::labels::{Disconnection, EventOut};

/// Maximum time for the last websockets to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// Interval between checks whether all websockets have closed.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Serialize)]
struct Draining {
    reconnect_after_ms: u64,
}

impl Realtime {
    /// Disconnects every client: each websocket at a random time within `spread`, then the polling clients. A closed transport makes a
    /// client reconnect, to another replica.
    pub async fn drain(&self, spread: Duration) {
        let clients = self.clients();
        tracing::info!(clients = clients.len(), "draining clients to other replicas");
        let disconnections =
            clients.into_iter().map(|client| self.disconnect_after(client, spread.mul_f64(rand::rng().random_range(0.0..1.0))));
        futures_util::future::join_all(disconnections).await;
        let gone = async {
            while self.clients().iter().any(Client::is_websocket) {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        let _in_time = tokio::time::timeout(CLOSE_LIMIT, gone).await;
        // A polling client has no connection of its own to close. Closing Socket.IO answers the client's open poll instead, but the
        // library does not call the disconnect handler for such a client.
        let rest = self.clients();
        self.close().await;
        for client in rest {
            client.connection().leave(Disconnection::Draining);
        }
        self.count_connections();
    }

    async fn disconnect_after(&self, client: Client, after: Duration) {
        client.connection().set_end_reason(Disconnection::Draining);
        let reconnect_after_ms = u64::try_from(after.as_millis()).unwrap_or_default();
        let _slow = client.emit(EventOut::ServerDraining, &Draining { reconnect_after_ms });
        tokio::time::sleep(after).await;
        self.end(&client, Disconnection::Draining);
    }
}
