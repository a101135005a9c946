//! Clients of the official JavaScript library. One process runs all clients of a test (`socket_client.mjs`). `raw_socket` sends traffic
//! that the library never sends.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{TestApp, eventually};

/// The environment variable with the path of the folder `node_modules` that contains the library.
const VARIABLE: &str = "SOCKET_IO_CLIENT";
/// An acknowledgement that takes longer counts as missing.
const ACK_TIMEOUT: Duration = Duration::from_secs(30);

/// A process with any number of clients. Dropping this value kills the process.
pub struct Sockets {
    process: Child,
    wire: Arc<Wire>,
}

/// The input of the process, and the events that the process has reported.
struct Wire {
    orders: Mutex<ChildStdin>,
    histories: Mutex<HashMap<u64, Vec<ClientEvent>>>,
    /// The next identifier of a client or an acknowledgement.
    numbers: AtomicU64,
}

/// An event that the process reports for a client.
#[derive(Clone, Debug, Deserialize)]
pub struct ClientEvent {
    id: u64,
    pub kind: Kind,
    /// Milliseconds since the epoch.
    pub at: u64,
    /// `polling` or `websocket`.
    pub transport: Option<String>,
    /// Why the client was refused or disconnected.
    pub message: Option<String>,
    /// The name of a received Socket.IO event.
    pub event: Option<String>,
    pub args: Option<Vec<Value>>,
    number: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Connect,
    ConnectError,
    Disconnect,
    Upgrade,
    Event,
    Ack,
}

impl Sockets {
    /// Starts the process. Without the environment variable, prints a line and returns `None`.
    pub fn start() -> Option<Self> {
        let Some(library) = std::env::var_os(VARIABLE) else {
            eprintln!("SKIPPED: {VARIABLE} is not set: sockets are NOT tested with the official client");
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/support/socket_client.mjs");
        let mut process =
            Command::new("node").arg(script).env(VARIABLE, library).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, lines) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()).lines());
        let wire = Arc::new(Wire { orders: Mutex::new(orders), histories: Mutex::default(), numbers: AtomicU64::default() });
        let reader = wire.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event: ClientEvent = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                reader.histories.lock().unwrap().entry(event.id).or_default().push(event);
            }
        });
        Some(Self { process, wire })
    }

    /// A connected client of this replica with the token of a session.
    pub async fn connect(&self, app: &TestApp, token: &str) -> Socket {
        self.to(&app.url()).token(token).connected().await
    }

    /// A builder for a client of the service at this URL. By default the client does not reconnect.
    pub fn to(&self, url: &str) -> Dial {
        Dial { wire: self.wire.clone(), url: url.to_owned(), options: Map::new(), headers: Map::new() }
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A client that is not yet connected.
pub struct Dial {
    wire: Arc<Wire>,
    url: String,
    options: Map<String, Value>,
    headers: Map<String, Value>,
}

impl Dial {
    /// Authenticates with a token.
    pub fn token(self, token: &str) -> Self {
        self.option("auth", json!({ "token": token }))
    }

    /// Sends a header with every request, such as a cookie or an origin.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// Polls and never upgrades.
    pub fn polling(self) -> Self {
        self.option("transports", json!(["polling"]))
    }

    /// Uses a WebSocket from the start; by default a client polls first and upgrades.
    pub fn websocket(self) -> Self {
        self.option("transports", json!(["websocket"]))
    }

    /// Keeps the edge's cookie, as browsers do, so that all requests reach one replica.
    pub fn sticky(self) -> Self {
        self.option("withCredentials", json!(true))
    }

    /// Reconnects as browsers do, but sooner.
    pub fn reconnecting(self) -> Self {
        self.option("reconnection", json!(true)).option("reconnectionDelay", json!(50)).option("reconnectionDelayMax", json!(500))
    }

    /// Sets an option of the library.
    pub fn option(mut self, name: &str, value: Value) -> Self {
        self.options.insert(name.to_owned(), value);
        self
    }

    /// Starts to connect.
    pub fn open(mut self) -> Socket {
        let id = self.wire.number();
        self.options.insert("extraHeaders".to_owned(), self.headers.into());
        self.wire.order(&json!({ "order": "connect", "id": id, "url": self.url, "options": self.options }));
        Socket { id, wire: self.wire }
    }

    /// Connects and waits until the client is connected.
    pub async fn connected(self) -> Socket {
        let socket = self.open();
        socket.until_connected(1).await;
        socket
    }

    /// Tries to connect and returns the reason for the refusal.
    pub async fn refused(self) -> String {
        self.open().refused().await
    }
}

/// One client. Dropping it does not disconnect it; [`Socket::leave`] does.
#[derive(Clone)]
pub struct Socket {
    id: u64,
    wire: Arc<Wire>,
}

impl Socket {
    /// Whether `other` is the same client.
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// Emits an event and returns its acknowledgement.
    pub async fn emit(&self, event: &str, payload: Value) -> Value {
        let mut answer = self.emit_all(event, &[payload]).await.unwrap_or_else(|| panic!("{event} is not acknowledged"));
        assert_eq!(answer.len(), 1, "{answer:?}");
        answer.remove(0)
    }

    /// Emits an event with several arguments, and returns the arguments of its acknowledgement. Returns `None` if no acknowledgement
    /// arrives in time, or if the client disconnects first.
    pub async fn emit_all(&self, event: &str, args: &[Value]) -> Option<Vec<Value>> {
        let number = self.wire.number();
        self.order_emit(event, args, Some(number));
        let acknowledged = |record: &ClientEvent| (record.number == Some(number)).then(|| record.args.clone());
        eventually(&format!("{event} is acknowledged"), async || self.find(acknowledged)).await
    }

    /// Emits an event whose acknowledgement must be an error, and returns the error's code.
    pub async fn emit_refused(&self, event: &str, payload: Value) -> String {
        let answer = self.emit(event, payload).await;
        answer["error"]["code"].as_str().unwrap_or_else(|| panic!("{event} is not refused: {answer}")).to_owned()
    }

    /// Emits an event without requesting an acknowledgement.
    pub fn send(&self, event: &str, payload: Value) {
        self.order_emit(event, &[payload], None);
    }

    fn order_emit(&self, event: &str, args: &[Value], number: Option<u64>) {
        let timeout = number.map(|_| ACK_TIMEOUT.as_millis());
        let order = json!({ "order": "emit", "id": self.id, "number": number, "event": event, "args": args, "timeout": timeout });
        self.wire.order(&order);
    }

    /// Waits until an event with a matching payload has arrived, before or after this call, and returns the payload.
    pub async fn until(&self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("a matching {event} arrives"), async || self.events(event).into_iter().find(&fits)).await
    }

    /// The payloads of all events received so far with this name.
    pub fn events(&self, event: &str) -> Vec<Value> {
        let history = self.history();
        let events = history.into_iter().filter(|record| record.event.as_deref() == Some(event));
        events.map(|record| record.args.and_then(|args| args.into_iter().next()).unwrap_or_default()).collect()
    }

    /// Waits until the client has connected `times` times, and returns the last of these events. If `times` is 1, panics on a refusal.
    pub async fn until_connected(&self, times: usize) -> ClientEvent {
        eventually(&format!("the client connects ({times})"), async || {
            assert!(
                times > 1 || self.find(|record| (record.kind == Kind::ConnectError).then_some(())).is_none(),
                "refused: {:?}",
                self.history()
            );
            self.of_kind(Kind::Connect).into_iter().nth(times - 1)
        })
        .await
    }

    /// Waits until the client has upgraded to a WebSocket.
    pub async fn upgraded(&self) {
        let upgrade = |record: &ClientEvent| (record.kind == Kind::Upgrade).then(|| record.transport.clone());
        let transport = eventually("the client upgrades", async || self.find(upgrade)).await;
        assert_eq!(transport.as_deref(), Some("websocket"));
    }

    /// Waits for the first disconnection of the client, and returns its reason.
    pub async fn closed(&self) -> String {
        self.reason(Kind::Disconnect).await
    }

    /// Waits for the first refusal of the client, and returns its reason, such as the code of an HTTP problem.
    pub async fn refused(&self) -> String {
        self.reason(Kind::ConnectError).await
    }

    async fn reason(&self, kind: Kind) -> String {
        let reason = |record: &ClientEvent| (record.kind == kind).then(|| record.message.clone().unwrap_or_default());
        eventually(&format!("the client reports {kind:?}"), async || self.find(reason)).await
    }

    /// Disconnects, and waits until the client reports its disconnection.
    pub async fn leave(&self) {
        self.wire.order(&json!({ "order": "disconnect", "id": self.id }));
        assert_eq!(self.closed().await, "io client disconnect");
    }

    /// Closes the Engine.IO connection of the client.
    pub fn kill(&self) {
        self.wire.order(&json!({ "order": "kill", "id": self.id }));
    }

    /// All events of the client, in order.
    pub fn history(&self) -> Vec<ClientEvent> {
        self.wire.histories.lock().unwrap().get(&self.id).cloned().unwrap_or_default()
    }

    /// All events of the client of one kind, in order.
    pub fn of_kind(&self, kind: Kind) -> Vec<ClientEvent> {
        self.history().into_iter().filter(|record| record.kind == kind).collect()
    }

    fn find<T>(&self, pick: impl Fn(&ClientEvent) -> Option<T>) -> Option<T> {
        self.wire.histories.lock().unwrap().get(&self.id)?.iter().find_map(pick)
    }
}

impl Wire {
    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn order(&self, order: &Value) {
        writeln!(self.orders.lock().unwrap(), "{order}").expect("the process of the clients has exited");
    }
}
