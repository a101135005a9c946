//! A fake of the platforms' APIs. Its responses about the account on Mastodon and on X are fixed; a test sets all other responses.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Platforms;

type Responder = Box<dyn Fn() -> Response + Send>;

/// A server in place of the APIs of all platforms.
pub struct FakePlatform {
    address: SocketAddr,
    responder: Arc<Mutex<Responder>>,
    serving: JoinHandle<()>,
}

impl FakePlatform {
    /// Replaces the APIs of these platforms, for applications that start later.
    pub async fn instead_of(platforms: &Platforms) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let responder: Arc<Mutex<Responder>> = Arc::new(Mutex::new(Box::new(|| ().into_response())));
        let router = Router::new().fallback(answer).with_state(responder.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let true_base = format!("api_url = \"http://{}/", platforms.simulator.address());
        platforms.rewrite(|text| text.replace(&true_base, &format!("api_url = \"http://{address}/")));
        Self { address, responder, serving }
    }

    /// Sets the response to all requests from now on, except those for the account on Mastodon or X.
    pub fn respond<R: IntoResponse>(&self, answer: impl Fn() -> R + Send + 'static) {
        *self.responder.lock().unwrap() = Box::new(move || answer().into_response());
    }

    /// A URL that no request should reach.
    pub fn trap(&self) -> String {
        format!("http://{}/trap", self.address)
    }
}

impl Drop for FakePlatform {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(responder): State<Arc<Mutex<Responder>>>, uri: Uri) -> Response {
    let who: Option<Value> = match uri.path_and_query().map(axum::http::uri::PathAndQuery::as_str) {
        Some("/mastodon/api/v1/accounts/verify_credentials") => {
            Some(json!({ "id": "1", "acct": "ada", "display_name": "Ada", "followers_count": "many", "statuses_count": -1 }))
        }
        Some("/x/2/users/me") => Some(json!({ "data": { "id": "1", "name": "Ada", "username": "ada" } })),
        _ => None,
    };
    match who {
        Some(who) => axum::Json(who).into_response(),
        None => responder.lock().unwrap()(),
    }
}
