//! The table of events that clients may send, and the dispatcher. The dispatcher limits the rate of each client's events, handles
//! the events of a client in order, measures their duration and acknowledges them. The handlers are in each feature's `socket.rs`, and
//! the handler of `ping` is in `ping.rs`.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, Event, SocketRef, TryData};
use socketioxide::handler::{FromMessageParts, MessageHandler};
use socketioxide::socket::Socket;
use socketioxide_core::Value as Packed;
use tracing::Instrument;

use super::Realtime;
use super::client::Client;
use super::inbox::{Put, Received};
use crate::http::extract::from_value;
use crate::http::{ApiError, Code};
use crate::metrics::labels::{Disconnection, EventIn, Limiter, Message, SocketError};
use crate::telemetry::trace_context::TraceContext;
use crate::telemetry::{log_spans, spans};

type Handler = Arc<dyn Fn(Client, Value) -> BoxFuture<'static, Result<Value, ApiError>> + Send + Sync>;

/// An acknowledgement without content.
#[derive(Serialize)]
pub struct Done {}

/// The handler of each event.
#[derive(Clone, Default)]
pub struct Events(Vec<(EventIn, Handler)>);

impl Events {
    /// Registers a handler, which receives a clone of the state. The event's payload must parse as `B`; the handler's result becomes
    /// the acknowledgement.
    #[must_use]
    pub fn on<S, B, R, F, Fut>(mut self, event: EventIn, state: &S, handler: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        B: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(S, Client, B) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<R, ApiError>> + Send + 'static,
    {
        let state = state.clone();
        let handler: Handler = Arc::new(move |client, payload| {
            let (state, handler) = (state.clone(), handler.clone());
            async move {
                let body = from_value(payload)?;
                let reply = handler(state, client, body).await?;
                serde_json::to_value(reply).map_err(|error| ApiError::new(Code::Internal).source(error))
            }
            .boxed()
        });
        self.0.push((event, handler));
        self
    }

    /// Adds the handlers of another table.
    #[must_use]
    pub fn merge(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    fn of(&self, event: EventIn) -> Option<&Handler> {
        self.0.iter().find(|(known, _)| *known == event).map(|(_, handler)| handler)
    }
}

/// Receives every event of every socket.
#[derive(Clone)]
pub struct Dispatcher {
    pub realtime: Realtime,
    pub events: Arc<Events>,
}

/// The library runs `call` in the task that reads the socket, in the order of arrival, so `call` must not block.
impl MessageHandler<LocalAdapter, ()> for Dispatcher {
    fn call(&self, socket: Arc<Socket>, mut packed: Packed, ack_id: Option<i64>) {
        let (Ok(ack), Ok(socket_ref)) =
            (AckSender::from_message_parts(&socket, &mut packed, &ack_id), SocketRef::from_message_parts(&socket, &mut packed, &ack_id));
        let Some(client) = self.realtime.client_of(socket_ref) else { return };
        let name = <Event as FromMessageParts<LocalAdapter>>::from_message_parts(&socket, &mut packed, &ack_id);
        let event = name.ok().and_then(|Event(name)| EventIn::named(&name)).unwrap_or(EventIn::Unknown);
        self.realtime.0.metrics.websocket_messages.increment(Message::In(event));
        if client.connection().limiter.check().is_err() {
            if client.connection().flood_limiter.check().is_err() {
                self.realtime.end(&client, Disconnection::Flood);
            }
            return self.refuse_one_too_many(ack);
        }
        let Ok(TryData(payload)) = TryData::<Value>::from_message_parts(&socket, &mut packed, &ack_id);
        match client.connection().events.put(Received { event, payload: payload.unwrap_or_default(), ack }) {
            Put::Waits => {}
            Put::WantsWorker => drop(tokio::spawn(self.clone().work(client))),
            Put::Full(received) => self.refuse_one_too_many(received.ack),
        }
    }
}

impl Dispatcher {
    /// Handles the queued events of a client until the queue is empty.
    async fn work(self, client: Client) {
        while let Some(received) = client.connection().events.next() {
            self.handle(&client, received).await;
        }
    }

    async fn handle(&self, client: &Client, received: Received) {
        let Received { event, payload, ack } = received;
        let context = TraceContext::root();
        let span = spans::event(&context, event, client.identity().user);
        let timer = self.realtime.0.metrics.websocket_handler_duration.time(event);
        let outcome = match self.events.of(event) {
            None => Err(ApiError::new(Code::UnknownEvent)),
            Some(handler) => {
                let log_span = log_spans::event(event, client.identity().user);
                let work = context.scope(span.around(handler(client.clone(), payload).instrument(log_span)));
                // The handler runs in its own task, so that a panic ends only the event, not the worker.
                match tokio::spawn(tokio::time::timeout(self.realtime.0.config.request_timeout, work)).await {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(_)) => Err(ApiError::new(Code::Timeout).retry_after(1)),
                    Err(_) => Err(ApiError::new(Code::Internal)),
                }
            }
        };
        drop(timer);
        match outcome {
            // Ignore a failure: the client has disconnected, or its queue is full.
            Ok(reply) => drop(ack.send(&reply)),
            Err(error) => {
                if error.code().status() >= 500 {
                    span.failed(error.code().as_str());
                }
                context.enter(|| self.refuse(ack, &error));
            }
        }
        client.connection().answered();
    }

    fn refuse_one_too_many(&self, ack: AckSender) {
        self.realtime.0.metrics.rate_limited.increment(Limiter::SocketEvents);
        self.refuse(ack, &ApiError::new(Code::TooManyEvents).retry_after(1));
    }

    fn refuse(&self, ack: AckSender, error: &ApiError) {
        self.realtime.0.metrics.websocket_errors.increment(match error.code() {
            Code::UnknownEvent => SocketError::UnknownEvent,
            Code::TooManyEvents => SocketError::TooManyEvents,
            code if code.status() >= 500 => SocketError::Failed,
            _ => SocketError::Refused,
        });
        let _gone = ack.send(&json!({ "error": error.brief() }));
    }
}
