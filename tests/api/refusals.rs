//! Makes every operation return the errors that its OpenAPI description lists, except those that other tests cover. Also provokes other
//! errors. The series that counts an error must exist before the error, so that rates include the first event.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use vitrine::fault_injection::is_exempt_route;
use vitrine::operations::INTERNAL;
use vitrine::router;

use crate::support::{Ask, Platforms, Raw, Scrape, TestApp, User, eventually, when};

/// A valid UUID of version 7 that identifies nothing.
const UNKNOWN: &str = "019f0000-0000-7000-8000-000000000000";
/// The redirect target of platforms; the `oauth` tests cover its errors.
const CALLBACK: &str = "/api/oauth/{platform}/callback";

/// An operation of the OpenAPI description.
struct Operation {
    method: Method,
    route: String,
    has_body: bool,
    statuses: BTreeSet<u16>,
}

impl Operation {
    fn all() -> Vec<Self> {
        let described = serde_json::to_value(router::description()).unwrap();
        let operations = described["paths"].as_object().unwrap().iter().flat_map(|(route, item)| {
            item.as_object().unwrap().iter().map(move |(method, operation)| Self {
                method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
                route: route.clone(),
                has_body: operation.get("requestBody").is_some(),
                statuses: operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect(),
            })
        });
        operations.collect()
    }

    /// The path, with this value for each parameter.
    fn path(&self, value: &str) -> String {
        let part = |part: &str| if part.starts_with('{') { value.to_owned() } else { part.to_owned() };
        self.route.split('/').map(part).collect::<Vec<_>>().join("/")
    }

    /// Whether a success would delete an object, or end a session, that later requests need.
    fn is_final(&self) -> bool {
        self.method == Method::DELETE || self.route.contains("logout")
    }
}

/// The slug of the published project.
const SLUG: &str = "one-of-refusals";

/// An application and its clients.
struct Fixture {
    app: TestApp,
    owner: User,
    stranger: User,
    admin: User,
    /// A public project, and an environment in it.
    known: [String; 2],
}

impl Fixture {
    async fn start() -> Self {
        let platforms = Platforms::start().await;
        let [file, keys] = platforms.arguments();
        let app = TestApp::with_faults(&[&file, &keys, "--request-timeout=8s", "--beacons-per-minute=2000"]).await;
        let (owner, stranger, admin) = (app.user("owner").await, app.user("stranger").await, app.admin().await);
        let project = app.project(&owner, "One", "public").await["id"].as_str().unwrap().to_owned();
        let published = app.as_user(&owner, Method::POST, &format!("/api/projects/{project}/publish")).json(&json!({ "slug": SLUG }));
        published.answer().await.expect(200);
        let body = json!({ "name": "one", "image": "busybox:1.37" });
        let create = app.as_user(&owner, Method::POST, &format!("/api/projects/{project}/environments")).json(&body);
        let environment = create.answer().await.expect(201).json()["id"].as_str().unwrap().to_owned();
        Self { app, owner, stranger, admin, known: [project, environment] }
    }

    /// Sends the requests of [`Self::wrong`] for several identifiers, without a user and as each user.
    async fn ask_wrongly(&self, operation: &Operation) {
        let known = self.known.iter().map(String::as_str);
        let values: Vec<&str> = ["odd", "%ff", UNKNOWN, "x", "github"].into_iter().chain(known.filter(|_| !operation.is_final())).collect();
        for value in values {
            for user in [None, Some(&self.stranger), Some(&self.owner), Some(&self.admin)] {
                // Later requests need the sessions, so no user logs out.
                let user = user.filter(|_| !operation.route.contains("logout"));
                let ask_for = |query: &str| {
                    let request = self.app.request(operation.method.clone(), &format!("{}{query}", operation.path(value)));
                    user.iter().fold(request, |request, user| request.bearer_auth(&user.token))
                };
                let requests = self.wrong(operation, ask_for);
                join_all(requests.into_iter().map(Ask::answer)).await;
            }
        }
    }

    fn wrong(&self, operation: &Operation, ask_for: impl Fn(&str) -> RequestBuilder) -> Vec<RequestBuilder> {
        let ask = || ask_for("");
        let json = || ask().header("content-type", "application/json");
        let odd = || HeaderValue::from_bytes(b"\xff").unwrap();
        let mut requests = vec![
            ask(),
            self.app.request(operation.method.clone(), &operation.path(UNKNOWN)).bearer_auth("nonsense"),
            ask().header("sec-fetch-site", "cross-site"),
            ask().header("if-none-match", odd()),
            ask().header("if-match", odd()).header("idempotency-key", odd()),
            ask_for("?limit=0&after=-1&return_to=//x"),
            ask_for("?limit=many&cursor=%25&after=x"),
        ];
        if operation.has_body {
            requests.extend([
                json().body("{"),
                json().json(&json!({ "odd": 1 })).header("if-match", "*"),
                json().body("[]").header("if-match", "\"0\""),
                json().body(vec![b' '; (1 << 20) + 1]).header("if-match", "*"),
                ask().body("{}").header("if-match", "*"),
                json().header("if-match", "\"0\"").json(&json!({ "name": "Two" })),
            ]);
        }
        requests
    }

    /// Sends an `If-Match` version that does not exist, and a post about a project that does not exist.
    async fn ask_for_what_is_not_there(&self) {
        let project = format!("/api/projects/{}", self.known[0]);
        for (method, path) in [(Method::GET, &*project), (Method::DELETE, &*project), (Method::GET, &format!("/api/showcase/{SLUG}"))] {
            self.app.as_user(&self.owner, method, path).header("if-match", "\"0\"").answer().await.expect(412);
        }
        let post = json!({ "project_id": UNKNOWN, "text": "One", "platforms": ["mastodon"] });
        self.app.as_user(&self.owner, Method::POST, "/api/posts").json(&post).answer().await.expect(404);
    }

    /// Uses methods other than the operation's own.
    async fn ask_by_other_methods(&self, operation: &Operation) {
        let path = operation.path(UNKNOWN);
        let methods = ["HEAD", "OPTIONS", "TRACE", "BREW", "PUT", "POST"].map(|method| Method::from_bytes(method.as_bytes()).unwrap());
        let requests = methods.into_iter().filter(|method| *method != operation.method).flat_map(|method| {
            let ask = || self.app.request(method.clone(), &path);
            [ask(), ask().bearer_auth("nonsense"), ask().header("sec-fetch-site", "cross-site")]
        });
        join_all(requests.map(Ask::answer)).await;
    }

    /// Sends requests while an injected fault makes every request fail, except those to exempt routes.
    async fn ask_of_a_failing_service(&self, operations: &[Operation]) {
        for status in [500, 503] {
            self.app.begin(&self.admin, &json!({ "fault": "error", "status": status })).await;
            let failing = async || self.app.get("/version").answer().await.status;
            eventually("the fault takes effect", async || when(failing().await == status)).await;
            let requests = operations.iter().map(|operation| self.app.request(operation.method.clone(), &operation.path(UNKNOWN)));
            join_all(requests.map(Ask::answer)).await;
            let heads = operations.iter().map(|operation| self.app.request(Method::HEAD, &operation.path(UNKNOWN)));
            join_all(heads.map(Ask::answer)).await;
            self.app.end_faults(&self.admin).await;
            eventually("the fault has ended", async || when(failing().await == 200)).await;
        }
    }

    /// Sends the heads of requests without their bodies and waits until the service answers 408.
    async fn ask_slowly(&self, operations: &[Operation]) {
        let slow = operations.iter().filter(|operation| operation.has_body).map(async |operation| {
            let is_for_admins = ["faults", "log-levels"].iter().any(|part| operation.route.contains(part));
            let user = if is_for_admins { &self.admin } else { &self.owner };
            let mut raw = self.begin_request(operation, &self.known[0], &user.token).await;
            raw.answer().await.expect(408);
        });
        join_all(slow).await;
    }

    /// Sends the heads of requests without their bodies and disconnects.
    async fn ask_and_leave(&self, operations: &[Operation]) {
        let with_body: Vec<_> = operations.iter().filter(|operation| operation.has_body).collect();
        let begun = with_body.iter().map(|operation| self.begin_request(operation, UNKNOWN, &self.admin.token));
        let begun = join_all(begun).await;
        let in_flight = async || self.app.scrape().await.get("http_requests_in_flight", &[]);
        eventually("the requests are in flight", async || when(in_flight().await > begun.len() as f64)).await;
        drop(begun);
    }

    async fn begin_request(&self, operation: &Operation, value: &str, token: &str) -> Raw {
        let mut raw = self.app.raw().await;
        let Operation { method, .. } = operation;
        let headers = "Host: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\nIf-Match: *";
        let head = format!("{method} {} HTTP/1.1\r\n{headers}\r\nAuthorization: Bearer {token}\r\n\r\n", operation.path(value));
        raw.send(head).await;
        raw
    }

    /// Sends three logins with a wrong password and exceeds the rate limit of beacons.
    async fn ask_too_often(&self) {
        for _ in 0..3 {
            self.app.login("owner@example.com", "not the password").await;
        }
        let beacon = || self.app.post("/api/rum").json(&json!({ "events": [] }));
        eventually("beacons exceed their limit", async || {
            let answers = join_all((0..200).map(|_| beacon().answer())).await;
            when(answers.iter().any(|answer| answer.status == 429))
        })
        .await;
    }
}

/// The operations and statuses of the requests between two scrapes.
fn returned(before: &Scrape, after: &Scrape) -> BTreeSet<(String, String, u16)> {
    let value = |pair: &str| pair.split_once('=').unwrap().1.to_owned();
    let grown = after.grown(before, "http_requests_total").into_keys();
    let answers = grown.map(|series| {
        let parts: Vec<&str> = series.split(',').collect();
        (value(parts[0]), value(parts[1]), value(parts[2]).parse().unwrap())
    });
    answers.collect()
}

#[tokio::test]
async fn no_refusal_creates_a_series() {
    let fixture = Fixture::start().await;
    let operations = Operation::all();
    let before = fixture.app.settled().await;
    for operation in &operations {
        fixture.ask_wrongly(operation).await;
        fixture.ask_by_other_methods(operation).await;
    }
    for path in ["/api/docs/%ff", "/api/docs/none", "/api/docs?x", "/api/docs/?x", "/api/openapi.json", "/no/such/thing", "/assets/none"] {
        for method in ["GET", "HEAD", "POST", "BREW"].map(|method| Method::from_bytes(method.as_bytes()).unwrap()) {
            fixture.app.request(method.clone(), path).answer().await;
            fixture.app.request(method, path).header("sec-fetch-site", "cross-site").answer().await;
        }
    }
    fixture.ask_for_what_is_not_there().await;
    fixture.ask_slowly(&operations).await;
    fixture.ask_too_often().await;
    fixture.ask_and_leave(&operations).await;
    fixture.ask_of_a_failing_service(&operations).await;

    let after = fixture.app.settled().await;
    let (series, later) = (before.series(), after.series());
    let made: Vec<_> = later.difference(&series).collect();
    assert!(made.is_empty(), "{} series do not exist before their first event: {made:#?}", made.len());

    let returned = returned(&before, &after);
    let missed: Vec<String> = operations
        .iter()
        .flat_map(|operation| operation.statuses.iter().map(move |status| (operation, *status)))
        .filter(|(operation, status)| {
            let Operation { method, route, .. } = operation;
            *status >= 400 && !returned.contains(&(method.to_string(), route.clone(), *status)) && !is_asked_elsewhere(route, *status)
        })
        .map(|(operation, status)| format!("{} {} {status}", operation.method, operation.route))
        .collect();
    assert!(missed.is_empty(), "never returned: {missed:#?}");
}

/// Whether this test may omit this status. Other tests cover conflicts, rate limits except that of beacons, the callback of
/// platforms, and the routes that the edge refuses. Injected faults cannot cause a 5xx on an exempt route.
fn is_asked_elsewhere(route: &str, status: u16) -> bool {
    status == 409
        || (status == 429 && route != "/api/rum")
        || route == CALLBACK
        || INTERNAL.contains(&route)
        || (status >= 500 && is_exempt_route(route))
}
