//! A fake container engine: records requests, answers the docker driver's calls as an engine with every image would, and fails on demand.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

/// How the engine behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Like a real engine.
    Answer,
    /// It has closed its connections and no longer listens, but its socket still exists.
    Refuse,
    /// Like `Refuse`, but the socket does not exist.
    NoSocket,
    /// It accepts every request and never responds.
    Hang,
    /// It sends this response to every request and closes the connection.
    Respond(String),
}

/// A recorded request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: String,
    /// Including the query.
    pub path: String,
    /// `Null` without a body.
    pub body: Value,
}

struct State {
    mode: Mode,
    requests: Vec<Request>,
    /// Prepared responses by the prefix of `METHOD /path`.
    prepared: Vec<(String, String)>,
    networks: BTreeMap<String, Value>,
    containers: BTreeMap<String, Made>,
}

struct Made {
    id: String,
    labels: Value,
    status: &'static str,
}

enum Reply {
    Complete(String),
    /// An empty log, which ends as soon as the container with this name is not running.
    Follow(String),
}

/// A running engine; dropping it removes its socket.
pub struct FakeEngine {
    socket: PathBuf,
    state: Arc<watch::Sender<State>>,
    listening: Option<JoinHandle<()>>,
}

impl FakeEngine {
    pub async fn start(mode: Mode) -> Self {
        let socket = std::env::temp_dir().join(format!("vitrine-test-{}.sock", Uuid::new_v4().simple()));
        let state = State {
            mode: Mode::Answer,
            requests: Vec::new(),
            prepared: Vec::new(),
            networks: BTreeMap::new(),
            containers: BTreeMap::new(),
        };
        let mut engine = Self { socket, state: Arc::new(watch::Sender::new(state)), listening: None };
        engine.set(mode).await;
        engine
    }

    /// The value for `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Changes the behaviour from now on; containers stay.
    pub async fn set(&mut self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode.clone());
        if matches!(mode, Mode::Refuse | Mode::NoSocket)
            && let Some(listening) = self.listening.take()
        {
            listening.abort();
            let _aborted = listening.await;
        }
        if mode == Mode::NoSocket {
            let _gone = std::fs::remove_file(&self.socket);
        } else if mode != Mode::Refuse && self.listening.is_none() {
            let _left = std::fs::remove_file(&self.socket);
            self.listening = Some(tokio::spawn(listen(UnixListener::bind(&self.socket).unwrap(), self.state.clone())));
        }
    }

    /// Sends this whole response to every request whose method and path have this prefix, such as `POST /containers/create`.
    pub fn respond_to(&self, beginning: &str, response: String) {
        self.state.send_modify(|state| state.prepared.push((beginning.to_owned(), response)));
    }

    /// All recorded requests.
    pub fn requests(&self) -> Vec<Request> {
        self.state.borrow().requests.clone()
    }

    /// The bodies of all requests whose method and path have this prefix.
    pub fn bodies(&self, beginning: &str) -> Vec<Value> {
        let wanted = |request: &Request| format!("{} {}", request.method, request.path).starts_with(beginning);
        self.requests().into_iter().filter(wanted).map(|request| request.body).collect()
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
        let _gone = std::fs::remove_file(&self.socket);
    }
}

/// A response in wire format.
pub fn response(status: u16, body: impl Display) -> String {
    let body = body.to_string();
    format!("HTTP/1.1 {status} Prepared\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

async fn listen(listener: UnixListener, state: Arc<watch::Sender<State>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        while connections.try_join_next().is_some() {}
        connections.spawn(serve(stream, state.clone()));
    }
}

async fn serve(mut stream: UnixStream, state: Arc<watch::Sender<State>>) {
    // A client may disconnect before it has sent a request.
    let Some(request) = read(&mut stream).await else { return };
    let mut reply = None;
    state.send_modify(|state| {
        state.requests.push(request.clone());
        reply = state.reply(&request);
    });
    match reply {
        None => std::future::pending().await,
        Some(Reply::Complete(text)) => drop(stream.write_all(text.as_bytes()).await),
        Some(Reply::Follow(name)) => {
            let _left = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await;
            let stands = |state: &State| state.containers.get(&name).is_none_or(|made| made.status != "running");
            let mut state = state.subscribe();
            let _stood = state.wait_for(stands).await;
        }
    }
}

async fn read(stream: &mut UnixStream) -> Option<Request> {
    let mut read = Vec::new();
    let head = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break read.drain(..end + 4).collect::<Vec<u8>>();
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    while read.len() < length {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    let mut words = head.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let body = if read.is_empty() { Value::Null } else { serde_json::from_slice(&read).unwrap() };
    Some(Request { method, path, body })
}

impl State {
    /// The response to a request; `None` for no response.
    fn reply(&mut self, request: &Request) -> Option<Reply> {
        match &self.mode {
            Mode::Hang => return None,
            Mode::Respond(text) => return Some(Reply::Complete(text.clone())),
            Mode::Answer | Mode::Refuse | Mode::NoSocket => {}
        }
        let line = format!("{} {}", request.method, request.path);
        if let Some((_, response)) = self.prepared.iter().rev().find(|(beginning, _)| line.starts_with(beginning)) {
            return Some(Reply::Complete(response.clone()));
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let done = |is_there: bool| if is_there { response(204, "") } else { missing() };
        let text = match (&*request.method, &*parts) {
            ("GET", ["_ping"]) => response(200, "OK"),
            ("GET", ["images", _, "json"]) => response(200, json!({ "Id": "sha256:0" })),
            ("POST", ["networks", "create"]) => {
                self.networks.insert(request.body["Name"].as_str().unwrap().to_owned(), request.body.clone());
                response(201, json!({ "Id": "network", "Warning": "" }))
            }
            ("GET", ["networks", name]) => self.networks.get(*name).map_or_else(missing, |network| response(200, network)),
            ("POST", ["containers", "create"]) => self.create(query, &request.body),
            ("GET", ["containers", "json"]) => {
                let list = self.containers.values().map(|made| json!({ "Id": made.id, "Labels": made.labels, "State": made.status }));
                response(200, list.collect::<Value>())
            }
            ("GET", ["containers", name, "json"]) => self
                .containers
                .get(*name)
                .map_or_else(missing, |made| response(200, json!({ "Id": made.id, "State": { "Status": made.status, "ExitCode": 0 } }))),
            ("GET", ["containers", name, "logs"]) if self.containers.contains_key(*name) => return Some(Reply::Follow((*name).to_owned())),
            ("POST", ["containers", name, "start" | "restart"]) => done(self.become_(name, "running")),
            ("POST", ["containers", name, "stop"]) => done(self.become_(name, "exited")),
            ("DELETE", ["containers", name]) => done(self.containers.remove(*name).is_some()),
            ("POST", ["containers", name, "exec"]) => match self.containers.get(*name) {
                Some(made) if made.status == "running" => response(201, json!({ "Id": "exec" })),
                Some(_) => response(409, json!({ "message": "it is not running" })),
                None => missing(),
            },
            ("POST", ["exec", _, "start"]) => "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".to_owned(),
            ("POST", ["exec", _, "resize"]) => response(200, ""),
            ("GET", ["exec", _, "json"]) => response(200, json!({ "ExitCode": 0, "Running": false })),
            _ => missing(),
        };
        Some(Reply::Complete(text))
    }

    fn create(&mut self, query: &str, body: &Value) -> String {
        let name = query.split('&').find_map(|pair| pair.strip_prefix("name=")).unwrap();
        if self.containers.contains_key(name) {
            return response(409, json!({ "message": "the name is in use" }));
        }
        let made = Made { id: format!("id-of-{name}"), labels: body["Labels"].clone(), status: "created" };
        let answer = response(201, json!({ "Id": made.id, "Warnings": [] }));
        self.containers.insert(name.to_owned(), made);
        answer
    }

    fn become_(&mut self, name: &str, status: &'static str) -> bool {
        self.containers.get_mut(name).map(|made| made.status = status).is_some()
    }
}

fn missing() -> String {
    response(404, json!({ "message": "no such object" }))
}
