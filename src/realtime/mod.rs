//! Socket.IO across all replicas: connected clients, events to them and from them, and delivery between replicas.
//!
//! - A feature publishes its facts with [`Realtime::emit`], from its `events.rs`, after the commit. Clients of this replica
//!   receive an event immediately, clients of other replicas over the bus. The caller waits for neither.
//! - Features handle the events of clients in their `socket.rs`, and register the handlers in a table, [`Events`]. A handler that
//!   starts a subscription or a terminal checks the user's session and role again.
//! - While Redis is unavailable, clients receive only events of their own replica. Facts that must not be missed, such as the
//!   end of a session or the lines of a log, are also read from the database.
//! - `accounts::admit`, passed to [`Realtime::open`], authenticates clients. This module does not know the features.

mod bus;
mod canary;
mod client;
mod connect;
mod connection;
mod drain;
mod events;
mod gate;
mod inbox;
mod ping;
mod room;
mod signal;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use socketioxide::extract::SocketRef;
use socketioxide::service::SocketIoService;
use socketioxide::{ParserConfig, SocketIo, SocketIoBuilder};
use tokio::sync::broadcast;
use uuid::Uuid;

pub use client::{Client, Disconnected, Slow};
pub use connect::Admission;
pub use connection::{Identity, Work};
pub use events::{Done, Events};
pub use gate::{PATH, operations};
pub use room::Room;
pub use signal::Topic;

use self::bus::{Bus, Envelope, Message};
use self::canary::Canary;
use self::connection::{HangUps, Limits, carried};
use self::signal::Signals;
use crate::cache::RedisClient;
use crate::config::Config;
use crate::fault_injection::FaultInjector;
use crate::metrics::Metrics;
use crate::metrics::labels::{Disconnection, EventOut, Transport};
use crate::server::HangUp;
use crate::tasks::ticks;
use crate::telemetry::spans;
use crate::telemetry::trace_context::{TraceContext, Traceparent};

/// Largest message of a client in bytes, over either transport.
pub const MAX_MESSAGE: usize = 100_000;
/// Maximum number of binary attachments of an event. No event uses attachments. An event with up to this many is refused as malformed.
/// An event with more attachments, or with more than [`MAX_MESSAGE`] bytes of them, ends the connection.
const ATTACHMENTS: usize = 10;
/// Maximum number of outgoing packets in a client's queue.
const QUEUE: usize = 128;
/// Time for a client to join the namespace after it opened a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Size of a websocket's read buffer in bytes. It is small, because most messages of clients are short and most clients are idle.
const READ_BUFFER: usize = 1024;
/// Interval between counts of the connections.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// Time for a signed-out client to close its transport itself.
const LOGOUT_GRACE: Duration = Duration::from_secs(1);

/// The namespace of every client.
const NAMESPACE: &str = "/";

/// Socket.IO in one replica; clones share it.
#[derive(Clone)]
pub struct Realtime(Arc<Inner>);

struct Inner {
    io: SocketIo,
    /// Mounted only on the path of Socket.IO. Its inner service would handle other paths and is therefore an empty router.
    service: SocketIoService<Router>,
    bus: Bus,
    signals: Signals,
    config: Arc<Config>,
    limits: Limits,
    upgraded: HangUps,
    canary: Mutex<Canary>,
    /// Number of clients of this replica at the last count.
    connections: AtomicU64,
    faults: FaultInjector,
    metrics: Metrics,
}

impl Realtime {
    /// Creates Socket.IO; [`Self::open`] then admits clients. Messages to other replicas are published over `commands`.
    ///
    /// # Errors
    /// When `REDIS_URL` is invalid.
    pub fn new(
        config: &Arc<Config>,
        commands: RedisClient,
        faults: FaultInjector,
        metrics: Metrics,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        // Without these limits the library buffers up to 10 MB of attachments, even for an unauthenticated client.
        let parser = ParserConfig::common().max_incoming_binaries(ATTACHMENTS).max_incoming_binary_buf_size(MAX_MESSAGE);
        let (service, io) = SocketIoBuilder::new()
            .with_parser(parser)
            .max_payload(MAX_MESSAGE as u64)
            .ws_max_message_size(MAX_MESSAGE)
            .ws_max_frame_size(MAX_MESSAGE)
            .ws_read_buffer_size(READ_BUFFER)
            .max_buffer_size(QUEUE)
            .connect_timeout(CONNECT_TIMEOUT)
            .ping_interval(config.socket_ping_interval)
            .build_with_inner_svc(Router::new());
        let bus = Bus::new(config, commands, metrics.clone())?;
        Ok(Self(Arc::new(Inner {
            io,
            service,
            bus,
            signals: Signals::new(),
            config: config.clone(),
            limits: Limits::default(),
            upgraded: HangUps::default(),
            canary: Mutex::new(Canary::new(metrics.clone())),
            connections: AtomicU64::new(0),
            faults,
            metrics,
        })))
    }

    /// Emits an event to the clients in any of the rooms, on every replica. A client in several of the rooms receives it once. Never
    /// blocks and never fails: it counts an event that a full queue or Redis refuses.
    pub fn emit(&self, rooms: &[Room], event: EventOut, payload: &impl Serialize) {
        let Some(payload) = written(payload) else { return };
        let emission = spans::emission(event);
        self.deliver(rooms, event, &payload);
        let message = Message::Emit { rooms: rooms.to_vec(), event: event.name().to_owned(), payload };
        self.0.bus.publish_from(emission.handed_on(), message);
    }

    /// Emits an event to this replica's clients in any of the rooms. A client in several of the rooms receives it once.
    pub fn emit_here(&self, rooms: &[Room], event: EventOut, payload: &impl Serialize) {
        if let Some(payload) = written(payload) {
            self.deliver(rooms, event, &payload);
        }
    }

    /// Signals every replica, including this one. Subscribers on this replica receive the signal even without Redis.
    pub fn signal(&self, topic: Topic, payload: &impl Serialize) {
        let Some(payload) = written(payload) else { return };
        self.0.signals.notify(topic, payload.clone());
        self.0.bus.publish(Message::Signal { topic, payload });
    }

    /// Subscribes to the signals of a topic.
    #[must_use]
    pub fn signals(&self, topic: Topic) -> broadcast::Receiver<Value> {
        self.0.signals.listen(topic)
    }

    /// This replica's identifier on the bus; it changes with every start.
    #[must_use]
    pub fn replica(&self) -> Uuid {
        self.0.bus.me()
    }

    /// Number of clients of this replica, counted every second.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// Every client of this replica.
    #[must_use]
    pub fn clients(&self) -> Vec<Client> {
        let sockets = self.0.io.of(NAMESPACE).map(socketioxide::operators::BroadcastOperators::sockets);
        self.clients_of(sockets.unwrap_or_default())
    }

    /// This replica's clients in any of the rooms, without duplicates.
    #[must_use]
    pub fn clients_in(&self, rooms: &[Room]) -> Vec<Client> {
        let names: Vec<String> = rooms.iter().map(|room| room.name()).collect();
        let sockets = self.0.io.of(NAMESPACE).map(|namespace| namespace.to(names).sockets());
        self.clients_of(sockets.unwrap_or_default())
    }

    /// Signs out the clients of a session on this replica: emits `logout` and ends their connections.
    pub fn log_out(&self, session: Uuid) {
        for client in self.clients_in(&[Room::Session(session)]) {
            client.connection().set_end_reason(Disconnection::Logout);
            let _slow = client.emit(EventOut::Logout, &serde_json::json!({ "reason": "ended" }));
            let hang_ups = self.hang_ups_of(&client);
            // Disconnects the client from the namespace, so that it does not reconnect. This fails when the queue is full, but
            // the connection of a websocket client is closed below in any case.
            let _full = client.socket().clone().disconnect();
            client.connection().leave(Disconnection::Logout);
            tokio::spawn(async move {
                tokio::time::sleep(LOGOUT_GRACE).await;
                hang_ups.iter().for_each(HangUp::now);
            });
        }
    }

    /// Exchanges messages with the other replicas, sends canaries and counts connections; never returns.
    pub async fn run(self) {
        let this = self.clone();
        let listening = self.0.bus.clone().run(move |envelope| this.handle(envelope));
        let canary = async {
            let mut ticks = tokio::time::interval(canary::EVERY);
            loop {
                ticks.tick().await;
                self.0.bus.publish(Message::Ping(self.canary().start()));
            }
        };
        let counting = async {
            let mut ticks = ticks(COUNT_EVERY);
            loop {
                ticks.tick().await;
                self.count_connections();
                self.0.upgraded.tidy_up();
            }
        };
        tokio::join!(listening, canary, counting);
    }

    fn handle(&self, Envelope { by, cause, message }: Envelope) {
        let is_mine = by == self.0.bus.me();
        match message {
            Message::Ping(_) if is_mine => self.canary().record_own(),
            Message::Ping(number) => self.0.bus.publish(Message::Pong(by, number)),
            Message::Pong(to, number) if to == self.0.bus.me() => self.canary().record_reply(number),
            Message::Pong(..) => {}
            // This replica has already delivered its own messages to its clients and subscribers.
            _ if is_mine => {}
            Message::Emit { rooms, event, payload } => {
                if let Some(event) = EventOut::named(&event) {
                    self.deliver_from(cause, &rooms, event, &payload);
                }
            }
            Message::Signal { topic, payload } => self.0.signals.notify(topic, payload),
        }
    }

    /// Delivers an event that another replica emitted, as a part of the emission's trace.
    fn deliver_from(&self, cause: Option<Traceparent>, rooms: &[Room], event: EventOut, payload: &Value) {
        let clients = self.clients_in(rooms);
        let Some(work) = cause.map(TraceContext::below).filter(|_| !clients.is_empty()) else { return send(&clients, event, payload) };
        let _delivery = spans::delivery(&work, event);
        work.enter(|| send(&clients, event, payload));
    }

    fn deliver(&self, rooms: &[Room], event: EventOut, payload: &Value) {
        send(&self.clients_in(rooms), event, payload);
    }

    fn clients_of(&self, sockets: Vec<SocketRef>) -> Vec<Client> {
        sockets.into_iter().filter_map(|socket| self.client_of(socket)).collect()
    }

    fn client_of(&self, socket: SocketRef) -> Option<Client> {
        Client::of(socket, &self.0.faults, &self.0.metrics)
    }

    fn canary(&self) -> parking_lot::MutexGuard<'_, Canary> {
        self.0.canary.lock()
    }

    fn count_connections(&self) {
        let clients = self.clients();
        self.0.connections.store(clients.len() as u64, Ordering::Relaxed);
        for transport in Transport::MEMBERS {
            let count = clients.iter().filter(|client| carried(client.socket().transport_type()) == *transport).count();
            self.0.metrics.websocket_connections_active.set_count(*transport, i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Closes the connection of a websocket client; the client may reconnect. A polling client has no connection of its own to close.
    fn end(&self, client: &Client, reason: Disconnection) {
        client.connection().set_end_reason(reason);
        self.hang_ups_of(client).iter().for_each(HangUp::now);
    }

    /// The handles that close the connection of a websocket client; none for a polling client.
    fn hang_ups_of(&self, client: &Client) -> Vec<HangUp> {
        let socket = client.socket();
        match socket.req_parts().extensions.get::<HangUp>() {
            // The socket began as a websocket, so its connection never changes.
            Some(hang_up) => vec![hang_up.clone()],
            None if client.is_websocket() => self.0.upgraded.of(socket.id),
            None => Vec::new(),
        }
    }

    async fn close(&self) {
        self.0.io.close().await;
    }
}

/// On the route of Socket.IO, the extractors of `http` read the configuration through this trait.
impl AsRef<Config> for Realtime {
    fn as_ref(&self) -> &Config {
        &self.0.config
    }
}

fn send(clients: &[Client], event: EventOut, payload: &Value) {
    for client in clients {
        let _slow = client.emit(event, payload);
    }
}

fn written(payload: &impl Serialize) -> Option<Value> {
    serde_json::to_value(payload)
        .inspect_err(|error| tracing::error!(error = error as &dyn std::error::Error, "failed to serialize an event or a signal"))
        .ok()
}
