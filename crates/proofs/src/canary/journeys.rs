//! Clients that send canaries. They sign up, sign in with right and wrong passwords, work on a project, sign in and post through platforms,
//! and send requests that no page sends. The answers are checked, because they show that the canaries reached the service.
//! `canary/polling` is the Socket.IO client.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::http::{Answer, get, send};
use devstack::ports::Port;
use devstack::process::wait_until;
use serde_json::{Value, json};

use super::planted::{Canaries, Kind};
use super::polling::Polling;
use crate::browsing::Browser;
use crate::drill::test_stack::TestStack;

const OPERATION_LIMIT: Duration = Duration::from_mins(1);
/// A delay that exceeds the time limit of a statement.
const STATEMENT_PAUSE_MS: u32 = 5_000;

/// The clients of one run.
pub struct Journeys<'a> {
    test: &'a TestStack,
    api: String,
    edge: String,
    pub canaries: Canaries,
    token: String,
}

impl<'a> Journeys<'a> {
    /// Makes every journey and returns the planted canaries.
    pub fn travel(test: &'a TestStack) -> Result<Canaries> {
        // The URL for browsers, because platforms redirect browsers to it.
        let edge = test.page(Port::Edge)?;
        let mut journeys = Self { test, api: format!("{edge}/api"), edge, canaries: Canaries::default(), token: String::new() };
        journeys.sign_up_and_in().context("sign up and in")?;
        journeys.hostile().context("hostile requests")?;
        let project = journeys.work().context("a project")?;
        journeys.sockets(&project).context("sockets")?;
        journeys.platforms().context("platforms")?;
        journeys.failures().context("failures")?;
        Ok(journeys.canaries)
    }

    fn secret(&mut self, what: &'static str) -> Result<String> {
        self.canaries.plant(Kind::Secret, what)
    }

    fn personal(&mut self, what: &'static str) -> Result<String> {
        self.canaries.plant(Kind::Personal, what)
    }

    fn request(&mut self, what: &'static str) -> Result<String> {
        self.canaries.plant(Kind::Request, what)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let auth = [("authorization", bearer.as_str())];
        send("POST", &format!("{}{path}", self.api), if self.token.is_empty() { &[] } else { &auth }, Some(body))
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()) {
            let value = cookie.split(';').next().and_then(|pair| pair.split_once('='));
            // The cookie `vitrine_replica` of the edge names a replica and is not secret.
            if let Some((_, value)) =
                value.filter(|(name, value)| name.contains("vitrine") && *name != "vitrine_replica" && !value.is_empty())
            {
                self.canaries.keep(Kind::Secret, "a cookie", value);
            }
        }
    }

    fn sign_up_and_in(&mut self) -> Result<()> {
        let email = format!("{}@example.org", self.personal("e-mail address of an account")?);
        let (password, name) = (self.secret("password of an account")?, self.personal("name of an account")?);
        let account = json!({ "email": email, "password": password, "display_name": name });
        expect(&self.post("/auth/register", &account)?, 201)?;
        expect(&self.post("/auth/register", &account)?, 409)?;

        let wrong = json!({ "email": email, "password": self.secret("a wrong password")? });
        expect(&self.post("/auth/login", &wrong)?, 401)?;
        let stranger = format!("{}@example.org", self.personal("e-mail address without an account")?);
        let stranger = json!({ "email": stranger, "password": self.secret("password without an account")? });
        expect(&self.post("/auth/login", &stranger)?, 401)?;

        let device = self.personal("name of a device")?;
        let login = self.post("/auth/login", &json!({ "email": email, "password": password, "device": device }))?;
        expect(&login, 200)?;
        self.keep_cookies(&login);
        login.json()?["token"].as_str().context("no token")?.clone_into(&mut self.token);
        self.canaries.keep(Kind::Secret, "token of a session", self.token.clone());
        let bearer = format!("Bearer {}", self.token);
        expect(&send("GET", &format!("{}/auth/me", self.api), &[("authorization", &bearer)], None)?, 200)
    }

    /// Requests that no page sends: invalid bodies, credentials in the wrong place, canaries in paths, queries, headers and bodies.
    fn hostile(&mut self) -> Result<()> {
        let (name, value) = (self.request("name of an unknown field")?, self.secret("password in an unknown field")?);
        expect(&self.post("/auth/login", &json!({ "email": "a@example.org", name: value }))?, 422)?;
        let invalid = json!({ "email": self.request("an invalid e-mail address")?, "password": self.secret("password of a refused sign-up")?,
            "display_name": "" });
        expect(&self.post("/auth/register", &invalid)?, 422)?;
        let text = format!("{{\"password\": \"{}\"", self.secret("password in malformed JSON")?);
        let mut browser = Browser::new();
        expect(&browser.post_text(&format!("{}/auth/login", self.api), "application/json", text)?, 400)?;

        let (path, query) = (self.canaries.plant(Kind::Path, "part of a path")?, self.secret("token in a query")?);
        let headers = [
            ("authorization", format!("Bearer {}", self.secret("an unknown token")?)),
            ("cookie", format!("vitrine={}; other={}", self.secret("an unknown session")?, self.secret("an unknown cookie")?)),
            ("user-agent", self.request("header User-Agent")?),
            ("referer", format!("http://localhost/?token={}", self.secret("token in the header Referer")?)),
            ("x-request-id", self.request("header X-Request-Id")?),
            ("x-forwarded-for", self.request("header X-Forwarded-For")?),
            ("x-api-key", self.secret("header X-Api-Key")?),
            ("idempotency-key", self.request("header Idempotency-Key")?),
            ("if-match", format!("\"{}\"", self.request("header If-Match")?)),
            ("accept-language", self.request("header Accept-Language")?),
            ("traceparent", format!("00-{}-00f067aa0ba902b7-01", self.request("header traceparent")?)),
        ];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let query = format!("?token={query}&cursor={query}&next=/{query}");
        for path in [format!("{}/no-such/{path}", self.edge), format!("{}/auth/me", self.api), format!("{}/projects", self.api)] {
            let answer = send("GET", &format!("{path}{query}"), &headers, None)?;
            ensure!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
        }
        let basic = format!("Basic {}", base64(&format!("ada:{}", self.secret("password of HTTP Basic")?)));
        expect(&send("GET", &format!("{}/auth/me", self.api), &[("authorization", &basic)], None)?, 401)?;
        let origin = format!("http://{}.example", self.request("header Origin")?);
        expect(&send("POST", &format!("{}/auth/logout", self.api), &[("origin", &origin)], None)?, 403)?;
        let beacon = json!({ "events": [{ "kind": "client_error", "type": self.request("field of a beacon")? }] });
        expect(&self.post("/rum", &beacon)?, 422)
    }

    /// Creates a project, tries to add a member who has no account, and returns the identifier of the project.
    fn work(&mut self) -> Result<String> {
        let (name, description) = (self.personal("name of a project")?, self.personal("description of a project")?);
        let created = self.post("/projects", &json!({ "name": format!("Draft {name}"), "description": description }))?;
        expect(&created, 201)?;
        let project = identifier(&created)?;
        let nobody = format!("{}@example.org", self.personal("e-mail address of a member without an account")?);
        let added = self.post(&format!("/projects/{project}/members"), &json!({ "email": nobody, "role": "viewer" }))?;
        ensure!((400..500).contains(&added.status), "{} {}", added.status, added.body);
        Ok(project)
    }

    fn sockets(&mut self, project: &str) -> Result<()> {
        let refused = self.secret("an unknown token of a socket")?;
        let in_query = self.secret("token in the query of a socket")?;
        let mut socket = Polling::open(&self.edge, &in_query)?;
        ensure!(socket.connect(&refused)?.starts_with("44"), "a socket with an unknown token was accepted");
        let mut socket = Polling::open(&self.edge, &in_query)?;
        self.canaries.keep(Kind::Secret, "identifier of a connection", socket.sid.clone());
        ensure!(socket.connect(&self.token)?.starts_with("40"), "a socket with a valid token was refused");
        let accepted = socket.ask("project:subscribe", &json!({ "project_id": project }))?;
        ensure!(!accepted.contains("\"error\""), "a valid subscription was refused: {accepted}");
        let (event, value) = (self.request("name of an event")?, self.secret("password in an event")?);
        socket.ask(&event, &json!({ "password": value }))?;
        socket.ask("project:subscribe", &json!({ "project_id": value }))?;
        self.terminal(project, &mut socket)
    }

    fn terminal(&mut self, project: &str, socket: &mut Polling) -> Result<()> {
        let name = self.personal("name of an environment")?;
        let new = json!({ "name": name, "image": "busybox:1.37" });
        let created = self.post(&format!("/projects/{project}/environments"), &new)?;
        expect(&created, 201)?;
        expect(&self.post(&format!("/projects/{project}/environments"), &new)?, 409)?;
        let environment = format!("/environments/{}", identifier(&created)?);
        self.await_status(&environment, "stopped")?;
        expect(&self.post(&format!("{environment}/start"), &json!({}))?, 202)?;
        self.await_status(&environment, "running")?;
        let session = self.post(&format!("{environment}/sessions"), &json!({ "type": "shell" }))?;
        expect(&session, 201)?;
        let session = identifier(&session)?;
        socket.ask("session:open", &json!({ "session_id": session, "cols": 80, "rows": 24 }))?;
        let line = format!("export PASSWORD={}\n", self.secret("line of a terminal")?);
        let typed = socket.ask("session:input", &json!({ "session_id": session, "data": line }))?;
        ensure!(!typed.contains("error"), "the terminal refused its input: {typed}");
        socket.ask("session:close", &json!({ "session_id": session })).map(drop)
    }

    fn await_status(&self, environment: &str, status: &str) -> Result<()> {
        let bearer = format!("Bearer {}", self.token);
        let url = format!("{}{environment}", self.api);
        wait_until(&format!("the environment is {status}"), OPERATION_LIMIT, || {
            Ok(send("GET", &url, &[("authorization", &bearer)], None)?.json()?["status"] == status)
        })
    }

    /// Signs in through Google, links Mastodon, sends false callbacks, publishes a project, and posts about it twice: the first delivery
    /// succeeds, and the second fails.
    fn platforms(&mut self) -> Result<()> {
        let simulator = self.test.page(Port::ProviderSim)?;
        let mut browser = Browser::new();
        let person = self.personal("name of an account of a platform")?;
        for platform in ["google", "mastodon"] {
            for secret in browser.authorise_as(&self.edge, &simulator, platform, &person)? {
                self.canaries.keep(Kind::Secret, "code or state of a sign-in", secret);
            }
        }
        for (name, value) in browser.cookies() {
            // A deleted cookie has an empty value.
            if name.starts_with("vitrine") && name != "vitrine_replica" && !value.is_empty() {
                self.canaries.keep(Kind::Secret, "cookie of a browser", value);
            }
        }
        let lie = format!("code={}&state={}", self.secret("an unknown code")?, self.secret("an unknown state")?);
        let refusal = format!("error=access_denied&error_description={}", self.request("error description of a platform")?);
        for query in [lie, refusal] {
            let answer = browser.get(&format!("{}/oauth/google/callback?{query}", self.api))?;
            ensure!(answer.status < 500, "a false callback: {} {}", answer.status, answer.body);
        }

        let (name, slug) = (self.personal("name of a published project")?, self.canaries.plant(Kind::Path, "slug of a published project")?);
        let project = browser.post(&format!("{}/projects", self.api), &json!({ "name": name }))?;
        expect(&project, 201)?;
        let project = identifier(&project)?;
        expect(&browser.post(&format!("{}/projects/{project}/publish", self.api), &json!({ "slug": slug }))?, 200)?;
        expect(&get(&format!("{}/projects/{slug}", self.edge))?, 200)?;
        let delivered = self.announce(&mut browser, &project)?;
        wait_until("the post is delivered", OPERATION_LIMIT, || Ok(delivery(&mut browser, &delivered)?["status"] == "delivered"))?;
        self.test.knobs("mastodon", &json!({ "error_rate": 1.0 }))?;
        let refused = self.announce(&mut browser, &project)?;
        wait_until("a delivery fails", OPERATION_LIMIT, || Ok(!delivery(&mut browser, &refused)?["last_error"].is_null()))?;
        self.test.knobs("mastodon", &json!({}))
    }

    /// Posts about a project and returns the URL of the post.
    fn announce(&mut self, browser: &mut Browser, project: &str) -> Result<String> {
        let post = json!({ "project_id": project, "text": self.personal("text of a post")?, "platforms": ["mastodon"] });
        let post = browser.post(&format!("{}/posts", self.api), &post)?;
        expect(&post, 201)?;
        Ok(format!("{}/posts/{}", self.api, identifier(&post)?))
    }

    /// Sends canaries to a handler that panics, and to a handler whose statement the database cancels.
    fn failures(&mut self) -> Result<()> {
        let panics = self.test.fault(json!({ "fault": "panic", "route": "/api/posts" }))?;
        let waits = self.test.known_fault(json!({ "fault": "database", "delay_ms": STATEMENT_PAUSE_MS, "table": "projects" }))?;
        let text = self.personal("text of a post that fails")?;
        let post = json!({ "project_id": "0192f0c1-2f6b-7c3a-9d5e-6a1b2c3d4e5f", "text": text, "platforms": ["mastodon"] });
        expect(&self.post("/posts", &post)?, 500)?;
        let project = json!({ "name": self.personal("name of a project that fails")? });
        expect(&self.post("/projects", &project)?, 503)?;
        [panics, waits].iter().try_for_each(|fault| self.test.end_fault(fault))
    }
}

fn expect(answer: &Answer, status: u16) -> Result<()> {
    ensure!(answer.status == status, "{} instead of {status}: {}", answer.status, answer.body);
    Ok(())
}

/// The only delivery of a post.
fn delivery(browser: &mut Browser, post: &str) -> Result<Value> {
    Ok(browser.get(post)?.json()?["deliveries"][0].take())
}

fn identifier(answer: &Answer) -> Result<String> {
    Ok(answer.json()?["id"].as_str().context("the answer has no identifier")?.to_owned())
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
