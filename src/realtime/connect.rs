//! Admission of clients: the service confirms a connection only after it has authenticated the client, so no handler receives an event
//! of an unauthenticated client.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::{Router, middleware};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::DisconnectReason;

use super::connection::{ConnectionState, Identity, carried};
use super::events::{Dispatcher, Events};
use super::room::Room;
use super::{Inner, NAMESPACE, Realtime, gate, ping};
use crate::http::origin::OriginLayer;
use crate::http::{ApiError, Code};
use crate::metrics::Metrics;
use crate::metrics::labels::{Disconnection, Limiter, SocketError};

/// Authenticates a connection by the token in its `auth` payload, or else by the headers of the request that opened it.
pub type Admission = Arc<dyn Fn(HeaderMap, Option<String>) -> BoxFuture<'static, Result<Identity, ApiError>> + Send + Sync>;

/// The `auth` payload that a client may send when it connects.
#[derive(Default, Deserialize)]
pub struct AuthPayload {
    token: Option<String>,
}

/// A refused connection; the client receives the code as the message of its `connect_error`.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.as_str())]
struct Refused(Code);

/// The arguments of the connect handler.
type ConnectArguments = (SocketRef, TryData<AuthPayload>);

impl Realtime {
    /// Starts to admit clients to the namespace, and returns the route of Socket.IO with its checks.
    pub fn open<S: Clone + Send + Sync + 'static>(&self, events: Events, admission: Admission, origins: OriginLayer) -> Router<S> {
        // Awaiting the result is unnecessary: the in-process adapter initializes synchronously.
        self.0.io.ns(NAMESPACE, handler(self.clone(), ping::events().merge(events), admission));
        Router::new()
            .route_service(gate::PATH, self.0.service.clone())
            .layer(middleware::from_fn_with_state(self.clone(), gate::admit))
            .layer(middleware::from_fn_with_state((origins, self.0.metrics.clone()), gate::check_origin))
    }
}

/// The handler of new clients of the namespace: admits or refuses a client, and authenticates an admitted client again.
fn handler(realtime: Realtime, events: Events, admission: Admission) -> impl ConnectHandler<LocalAdapter, ConnectArguments> {
    let dispatcher = Dispatcher { realtime: realtime.clone(), events: Arc::new(events) };
    let admit = admission.clone();
    let connect = move |socket: SocketRef, TryData(payload): TryData<AuthPayload>| {
        let (dispatcher, admit) = (dispatcher.clone(), admit.clone());
        async move { connect(socket, payload.unwrap_or_default(), dispatcher, admit).await }
    };
    let connected = move |socket: SocketRef, TryData(payload): TryData<AuthPayload>| {
        let (realtime, admission) = (realtime.clone(), admission.clone());
        async move { authenticate_again(socket, payload.unwrap_or_default(), realtime, admission).await }
    };
    connected.with(connect)
}

async fn connect(socket: SocketRef, payload: AuthPayload, dispatcher: Dispatcher, admission: Admission) -> Result<(), Refused> {
    let realtime = dispatcher.realtime.clone();
    let Inner { config, limits, metrics, .. } = &*realtime.0;
    let headers = socket.req_parts().headers.clone();
    let identity = admission(headers, payload.token).await.map_err(|error| refuse(metrics, &error))?;
    let permit = limits.users.take(&identity.user, config.sockets_per_user);
    let Some(permit) = permit else {
        metrics.rate_limited.increment(Limiter::SocketConnections);
        return Err(refuse(metrics, &ApiError::new(Code::TooManyConnections)));
    };
    let rooms = [Room::Session(identity.session), Room::User(identity.user)];
    let per_second = NonZeroU32::new(config.socket_events_per_second).unwrap_or(NonZeroU32::MIN);
    // Counts admitted clients only. The disconnection of a refused client is not counted either.
    metrics.websocket_connections.increment(carried(socket.transport_type()));
    let connection = Arc::new(ConnectionState::new(identity, per_second, permit, metrics.clone()));
    socket.extensions.insert(connection);
    socket.on_disconnect(leave);
    socket.on_fallback(dispatcher);
    socket.join(rooms.map(Room::name));
    Ok(())
}

/// Authenticates the client a second time. If the session ended after the first authentication, but before the socket joined the
/// session's room, [`Realtime::log_out`] did not find this socket in the room.
async fn authenticate_again(socket: SocketRef, payload: AuthPayload, realtime: Realtime, admission: Admission) {
    let headers = socket.req_parts().headers.clone();
    let Some(client) = realtime.client_of(socket) else { return };
    let result = admission(headers, payload.token).await;
    if result.is_err_and(|error| error.code() == Code::InvalidToken) {
        realtime.log_out(client.identity().session);
    }
}

fn refuse(metrics: &Metrics, error: &ApiError) -> Refused {
    let code = error.code();
    metrics.websocket_errors.increment(match code.status() {
        429 => SocketError::TooManyConnections,
        500.. => SocketError::Failed,
        _ => SocketError::Authentication,
    });
    Refused(code)
}

async fn leave(socket: SocketRef, reason: DisconnectReason) {
    let Some(connection) = socket.extensions.get::<Arc<ConnectionState>>() else { return };
    connection.leave(match reason {
        DisconnectReason::TransportClose => Disconnection::TransportClose,
        DisconnectReason::TransportError | DisconnectReason::MultipleHttpPollingError => Disconnection::TransportError,
        DisconnectReason::HeartbeatTimeout => Disconnection::HeartbeatTimeout,
        DisconnectReason::PacketParsingError => Disconnection::MalformedPacket,
        DisconnectReason::ClientNSDisconnect => Disconnection::Client,
        DisconnectReason::ServerNSDisconnect => Disconnection::Logout,
        DisconnectReason::ClosingServer => Disconnection::Draining,
    });
}
