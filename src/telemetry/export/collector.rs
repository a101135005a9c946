//! The HTTP client for the OTLP endpoint. The clients of the exporter's library would add a second HTTP stack, or threads that block.
//! Log lines of an export differ from all others by the task that writes them.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::rt::Executor;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};

/// Largest accepted response body. Collectors respond with a few bytes.
const ANSWER_LIMIT: usize = 64 << 10;

tokio::task_local! {
    static EXPORTING: ();
}

/// Whether the current task exports telemetry.
pub fn is_exporting() -> bool {
    EXPORTING.try_with(|()| ()).is_ok()
}

/// Runs a future as a part of the export.
pub fn exporting<F: Future>(future: F) -> impl Future<Output = F::Output> {
    EXPORTING.scope((), future)
}

/// Starts the client's connections as parts of the export.
#[derive(Clone, Copy)]
struct Connections;

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Connections {
    fn execute(&self, connection: F) {
        tokio::spawn(exporting(connection));
    }
}

/// A client whose requests have a time limit.
pub struct Collector {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    limit: Duration,
}

impl Collector {
    pub fn new(limit: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let https = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(tcp);
        Self { http: Client::builder(Connections).build(https), limit }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        tokio::time::timeout(self.limit, async {
            let (head, body) = self.http.request(request.map(Full::from)).await?.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        })
        .await?
    }
}
