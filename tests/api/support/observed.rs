//! A replica in a process of its own, with an admin, whose log the tests read. Logs and traces belong to the process, so a test that
//! configures them needs one.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Ask;
use super::program::Program;
use super::users::PASSWORD;
use super::{Scrape, Stores, eventually, when};

pub struct Observed {
    pub program: Program,
    /// The database is removed when this is dropped.
    stores: Stores,
    client: Client,
    pub token: String,
}

impl Observed {
    /// Starts a replica with these variables, and signs an admin in.
    pub async fn new(variables: &[(&str, &str)]) -> Self {
        let stores = Stores::new().await;
        let client = Client::builder().no_proxy().build().unwrap();
        let program = serve(&stores, &client, variables).await;
        let url = |path: &str| format!("http://{}{path}", program.address);
        let account = json!({ "email": "ada@example.com", "password": PASSWORD, "display_name": "Ada" });
        client.post(url("/api/auth/register")).json(&account).answer().await.expect(201);
        stores.execute("UPDATE users SET role = 'admin'").await;
        let login = json!({ "email": "ada@example.com", "password": PASSWORD });
        let signed_in = client.post(url("/api/auth/login")).json(&login).answer().await.expect(200).json();
        let token = signed_in["token"].as_str().unwrap().to_owned();
        Self { program, stores, client, token }
    }

    /// Starts another replica on the same stores, and waits until both are connected to the bus.
    pub async fn beside(&self, variables: &[(&str, &str)]) -> Program {
        let other = serve(&self.stores, &self.client, variables).await;
        for address in [self.program.address, other.address] {
            eventually("the replica is connected to the bus", async || {
                let text = self.client.get(format!("http://{address}/metrics")).answer().await.text();
                when(Scrape::parse(&text).get("websocket_adapter_connected", &[]) == 1.0)
            })
            .await;
        }
        other
    }

    /// A request of the admin.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.program.address)).bearer_auth(&self.token)
    }

    /// Injects a fault. The replica reads it within a second.
    pub async fn fault(&self, order: Value) {
        self.request(Method::PUT, &format!("/api/faults/{}", Uuid::new_v4())).json(&order).answer().await.expect(201);
    }

    /// The lines of the log so far with this body.
    pub fn lines(&self, body: &str) -> Vec<Value> {
        let log = self.program.log();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["body"] == body).collect()
    }

    /// Waits for a line of this trace.
    pub async fn line_of(&self, body: &str, trace: &str) -> Value {
        let line = async || self.lines(body).into_iter().find(|line| line["trace_id"] == trace);
        eventually(&format!("{body} is logged for {trace}"), line).await
    }
}

/// Starts a replica and waits until it is ready.
async fn serve(stores: &Stores, client: &Client, variables: &[(&str, &str)]) -> Program {
    // A busy machine must not make requests slow.
    let program = Program::serve(stores, &[&[("SLOW_REQUEST", "30s")], variables].concat()).await;
    let ready = format!("http://{}/health/ready", program.address);
    eventually("the replica is ready", async || when(client.get(&ready).answer().await.status == 200)).await;
    program
}
