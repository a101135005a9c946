//! Clients that send requests through the edge, and count the responses and the cache look-ups that the requests cause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, ensure};
use devstack::http::{Answer, Client};
use devstack::paths;
use serde_json::{Value, json};

use super::counts::Counts;

const CLIENTS: usize = 4;
/// Pause between two requests of a client, so that replicas on a busy machine keep up.
const PAUSE: Duration = Duration::from_millis(20);
/// The look-ups that authenticate a request.
pub const IDENTITY: &[&str] = &["session", "user"];
const PROJECT: &[&str] = &["session", "user", "project"];
/// No project has this identifier.
const NOBODYS: &str = "0192f0c1-2f6b-7c3a-9d5e-6a1b2c3d4e5f";

/// A client that counts.
pub struct Counting {
    http: Client,
    edge: String,
    bearer: String,
    counts: Counts,
}

/// A request, its expected status, and the cache look-ups that it causes.
struct Request<'a> {
    method: &'a str,
    /// The template of the route, as in metrics.
    route: &'a str,
    path: &'a str,
    status: u16,
    lookups: &'a [&'a str],
    body: Option<Value>,
}

impl Counting {
    /// Registers an account and logs in.
    pub fn sign_up(edge: &str) -> Result<Self> {
        let mut client = Self { http: Client::new(), edge: edge.to_owned(), bearer: String::new(), counts: Counts::default() };
        let (email, password) = (format!("{}@example.org", paths::random_password()?), paths::random_password()?);
        let account = json!({ "email": email, "password": password, "display_name": "Counting" });
        client.post("/api/auth/register", 201, &[], account)?;
        let login = client.post("/api/auth/login", 200, &[], json!({ "email": email, "password": password }))?.json()?;
        client.bearer = format!("Bearer {}", login["token"].as_str().unwrap_or_default());
        Ok(client)
    }

    /// The token of its session.
    pub fn token(&self) -> &str {
        self.bearer.trim_start_matches("Bearer ")
    }

    /// Creates a project and returns its identifier.
    pub fn create_project(&mut self) -> Result<String> {
        let created = self.post("/api/projects", 201, IDENTITY, json!({ "name": "Counted" }))?;
        Ok(created.json()?["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Changes a project; the service sends an event to the subscribers of the project.
    pub fn change_project(&mut self, id: &str) -> Result<()> {
        let request = Request {
            method: "PATCH",
            route: "/api/projects/{id}",
            path: &format!("/api/projects/{id}"),
            status: 200,
            lookups: IDENTITY,
            body: Some(json!({ "description": paths::random_password()? })),
        };
        self.send(&request).map(drop)
    }

    pub fn into_counts(self) -> Counts {
        self.counts
    }

    /// Sends requests that the service must answer with 200, 201, 401, 404 and 422.
    fn visit(&mut self) -> Result<()> {
        let id = self.create_project()?;
        let (own, nobodys) = (format!("/api/projects/{id}"), format!("/api/projects/{NOBODYS}"));
        self.get("/api/auth/me", "/api/auth/me", 200, IDENTITY)?;
        self.get("/api/projects", "/api/projects?limit=1", 200, IDENTITY)?;
        self.get("/api/projects/{id}", &own, 200, PROJECT)?;
        self.get("/api/projects/{id}", &nobodys, 404, PROJECT)?;
        self.get("/api/showcase", "/api/showcase", 200, &["showcase"])?;
        self.post("/api/projects", 422, IDENTITY, json!({ "name": "" }))?;
        let bearer = std::mem::take(&mut self.bearer);
        let anonymous = self.get("/api/projects", "/api/projects", 401, &[]);
        self.bearer = bearer;
        anonymous.map(drop)
    }

    fn get(&mut self, route: &str, path: &str, status: u16, lookups: &[&str]) -> Result<Answer> {
        self.send(&Request { method: "GET", route, path, status, lookups, body: None })
    }

    fn post(&mut self, route: &str, status: u16, lookups: &[&str], body: Value) -> Result<Answer> {
        self.send(&Request { method: "POST", route, path: route, status, lookups, body: Some(body) })
    }

    fn send(&mut self, request: &Request) -> Result<Answer> {
        let Request { method, route, path, status, lookups, body } = request;
        let headers = [("authorization", self.bearer.as_str()), ("if-match", "*")];
        let headers = if self.bearer.is_empty() { &headers[1..] } else { &headers[..] };
        let headers = if *method == "PATCH" { headers } else { &headers[..headers.len() - 1] };
        let answer = self.http.send(method, &format!("{}{path}", self.edge), headers, body.as_ref())?;
        ensure!(answer.status == *status, "{method} {path}: {} instead of {status}: {}", answer.status, answer.body);
        self.counts.requests(method, route, &status.to_string(), 1);
        lookups.iter().for_each(|cache| self.counts.lookups(cache, 1));
        thread::sleep(PAUSE);
        Ok(answer)
    }
}

/// Clients that send requests until they are stopped.
pub struct Requests {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Result<Counts>>>,
}

impl Requests {
    /// Starts the clients.
    pub fn start(edge: &str) -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS).map(|_| Counting::sign_up(edge)).collect::<Result<Vec<_>>>()?;
        let run = |mut client: Counting| {
            let over = over.clone();
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    client.visit()?;
                }
                Ok(client.into_counts())
            })
        };
        Ok(Self { clients: clients.into_iter().map(run).collect(), over })
    }

    /// Stops the clients and returns their counts. Fails if a client received an unexpected response or no response.
    pub fn stop(self) -> Result<Counts> {
        self.over.store(true, Ordering::Relaxed);
        let mut counts = Counts::default();
        for client in self.clients {
            counts.merge(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
        }
        Ok(counts)
    }
}
