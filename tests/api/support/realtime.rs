//! Replicas on the same stores. Each has an extra route that emits events to the clients of a user.

use axum::Json;
use axum::extract::{Path, State};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use vitrine::metrics::labels::EventOut;
use vitrine::realtime::Room;
use vitrine::state::AppState;

use super::{Ask, Scrape, Socket, Stores, TestApp, User, eventually, when};

/// The event that tests emit; any event would do.
pub const EMITTED: &str = "post:delivered";

/// A request to emit events.
#[derive(Deserialize, Serialize, ToSchema)]
struct Emission {
    /// The number of the first event.
    from: u32,
    /// How many events to emit; their numbers are consecutive.
    count: u32,
    /// The size of each event's padding in bytes.
    size: usize,
}

/// The route that emits events; tests add it to the routes of the service.
pub fn emitting() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(emit))
}

#[utoipa::path(post, path = "/test/emit/{user}", params(("user" = Uuid, Path)), request_body = Emission, responses((status = 200)))]
async fn emit(State(state): State<AppState>, Path(user): Path<Uuid>, Json(Emission { from, count, size }): Json<Emission>) {
    for number in from..from + count {
        let payload = json!({ "number": number, "filling": "x".repeat(size) });
        state.realtime.emit(&[Room::User(user)], EventOut::PostDelivered, &payload);
    }
}

impl TestApp {
    /// Starts a replica with new stores and the route of [`emitting`], and waits until the replica is ready.
    pub async fn emitting(arguments: &[&str]) -> Self {
        Self::with_routes(emitting(), arguments).await
    }

    /// Starts `count` replicas on the same stores, with the route of [`emitting`], and waits until all are ready and connected to the bus.
    pub async fn replicas(count: usize, arguments: &[&str]) -> Vec<Self> {
        let stores = Stores::new().await;
        let replicas: Vec<Self> = (0..count).map(|_| Self::launch(&stores, arguments, Some(emitting()))).collect();
        for replica in &replicas {
            replica.until_ready().await;
            replica.until_connected_to_bus().await;
        }
        replicas
    }

    /// Waits until this replica receives its own messages over the bus.
    pub async fn until_connected_to_bus(&self) {
        eventually("the replica is connected to the bus", async || {
            when(self.scrape().await.get("websocket_adapter_connected", &[]) == 1.0)
        })
        .await;
    }

    /// Makes this replica emit one event to a user.
    pub async fn emit_event(&self, user: &User, number: u32) {
        self.emit_events(user, number, 1, 0).await;
    }

    /// Makes this replica emit many events to a user at once, each with padding of this size.
    pub async fn emit_events(&self, user: &User, from: u32, count: u32, size: usize) {
        let emission = Emission { from, count, size };
        self.post(&format!("/test/emit/{}", user.id)).json(&emission).answer().await.expect(200);
    }

    /// The number of Socket.IO clients of this replica.
    pub async fn clients(&self) -> f64 {
        self.scrape().await.get("websocket_connections_active", &[])
    }

    /// Waits until this replica has exactly `count` Socket.IO clients.
    pub async fn until_clients(&self, count: usize) {
        eventually(&format!("there are {count} clients"), async || when(self.clients().await == count as f64)).await;
    }

    /// Asserts that, since `before`, there was no panic and no 5xx response, and no Socket.IO connection or event failed in the service.
    pub async fn assert_unharmed(&self, before: &Scrape) {
        let after = self.scrape().await;
        assert_eq!(after.since(before, "uncaught_exceptions_total", &[]), 0.0);
        assert_eq!(after.since(before, "websocket_errors_total", &[("error_type", "failed")]), 0.0);
        let faults = after.grown(before, "http_requests_total").into_iter().filter(|(labels, _)| labels.contains("status=5"));
        assert_eq!(faults.collect::<Vec<_>>(), []);
    }
}

/// Waits until each socket has received the event with this number.
pub async fn until_all_received(sockets: &[&Socket], number: u32) {
    join_all(sockets.iter().map(|socket| socket.until(EMITTED, move |payload| payload["number"] == number))).await;
}

/// The numbers of the events that a client has received.
pub fn numbers(socket: &Socket) -> Vec<u64> {
    socket.events(EMITTED).iter().filter_map(|payload: &Value| payload["number"].as_u64()).collect()
}
