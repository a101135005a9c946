//! All routes, and the layers around them in their order.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::response::Response;
use axum::routing::Route;
use axum::{BoxError, Router, middleware};
use tower::Layer;
use tower::layer::layer_fn;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Interface;
use utoipa_axum::router::OpenApiRouter;

use crate::features::accounts::admit;
use crate::http::access::AccessLog;
use crate::http::layers::{self, Endpoint};
use crate::http::queue::QueueLimit;
use crate::http::{ApiError, Code, faults, origin};
use crate::interface::Description;
use crate::metrics::http::{HttpLayer, Operation};
use crate::realtime::Admission;
use crate::state::AppState;
use crate::{api_docs, features, interface, operations, pages, realtime};

/// The routes of the features and those for operators, except the routes of faults.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Description::openapi()).merge(features::routes()).merge(operations::routes())
}

/// Adds the routes of faults if fault injection is on. Otherwise neither the routes nor their metrics exist.
#[must_use]
pub fn with_faults(interface: OpenApiRouter<AppState>, are_on: bool) -> OpenApiRouter<AppState> {
    if are_on { interface.merge(features::faults::routes()) } else { interface }
}

/// The OpenAPI description of a service with fault injection on: it includes the routes of faults.
#[must_use]
pub fn description() -> Interface {
    interface::complete(with_faults(routes(), true).split_for_parts().1)
}

/// The templates of all routes with a handler. The `route` of a fault must be one of them. The route of Socket.IO has no handler.
#[must_use]
pub fn templates(interface: &OpenApiRouter<AppState>) -> BTreeSet<String> {
    let operations = operations_of(interface, true);
    operations.into_iter().map(|operation| operation.matched).filter(|template| template != realtime::PATH).collect()
}

/// Builds the router: the routes with their layers.
///
/// # Errors
/// When `PUBLIC_URL` or one of `SOCKET_ORIGINS` is not an origin, or the replica's name is not a valid header value.
pub fn build(interface: OpenApiRouter<AppState>, state: AppState) -> Result<Router, BoxError> {
    let operations = operations_of(&interface, state.faults.is_some());
    let measured = HttpLayer::new(state.metrics.clone(), &operations, Code::classes, state.heartbeat.answered());
    let replica = HeaderValue::from_str(&state.config.replica)?;
    let access_log = AccessLog { sample: state.config.access_log_sample, slow: state.config.slow_request };
    let watched = Watched { measured, replica, access_log };
    let own_pages = origin::layer(&state.config)?;
    let admission: Admission = {
        let state = state.clone();
        Arc::new(move |headers, token| Box::pin(admit(state.clone(), headers, token)))
    };
    // Long polls and websockets have their own deadlines, so the time limit below does not apply to them.
    let sockets = state.realtime.open(features::sockets(&state), admission, own_pages.clone());
    let watch_sockets = watched.clone();
    let sockets = sockets.layer(layer_fn(move |route: Route| watch_sockets.around(route)));
    let limit = state.config.request_timeout;
    let queue_limit = QueueLimit::new(state.config.queue_limit, state.metrics.clone());
    // From the innermost layer to the outermost.
    let around = {
        let state = state.clone();
        move |route: Route| {
            // Browsers may send cookies with requests from pages of other sites, so only the service's own pages and pages of trusted
            // origins may change state.
            let guarded = own_pages.layer(route);
            // A response must start within the time limit.
            let limited = layers::limit_time(limit, guarded);
            // Under overload, requests that have waited too long since the edge sent them are refused before any work is done.
            let timely = queue_limit.around(limited);
            // If the response is a problem and the request is a browser's navigation, the browser receives an HTML page instead of JSON.
            watched.around(pages::explain(state.clone(), timely))
        }
    };
    Ok(answering(interface, &state).layer(layer_fn(around)).merge(sockets).with_state(state))
}

/// The routes without the layers of [`build`], as a baseline for `benches/overhead.rs`.
pub fn build_bare(interface: OpenApiRouter<AppState>, state: AppState) -> Router {
    answering(interface, &state).with_state(state)
}

/// The outermost layers, which every request passes.
#[derive(Clone)]
struct Watched {
    measured: HttpLayer,
    replica: HeaderValue,
    access_log: AccessLog,
}

impl Watched {
    /// Adds three layers. The innermost turns a panic into a response. The middle one measures every response, including that one. The
    /// outermost identifies the request, so that all problems and log lines of the request contain its identifier.
    fn around<S: Endpoint>(&self, inner: S) -> impl Endpoint + use<S> {
        let caught = CatchPanicLayer::custom(layers::panicked as fn(Box<dyn Any + Send>) -> Response).layer(inner);
        layers::identify(self.replica.clone(), self.access_log, self.measured.layer(caught))
    }
}

/// All handlers except Socket.IO: the API, its description, the pages, and a problem for unknown routes and methods.
fn answering(interface: OpenApiRouter<AppState>, state: &AppState) -> Router<AppState> {
    let (router, description) = interface.split_for_parts();
    let router = router
        .merge(api_docs::routes(interface::public(interface::complete(description))))
        .merge(pages::routes(state.faults.is_some()))
        .fallback(async || ApiError::new(Code::NotFound))
        .method_not_allowed_fallback(async || ApiError::new(Code::MethodNotAllowed));
    match &state.faults {
        // This layer is the innermost, so an injected failure looks like a failure of the handler.
        Some(service) => router.layer(middleware::from_fn_with_state(service.injector().clone(), faults::inject)),
        None => router,
    }
}

/// The label values of the HTTP metrics: the operations in the description, and the operations that it omits.
fn operations_of(interface: &OpenApiRouter<AppState>, has_faults: bool) -> Vec<Operation> {
    let described = interface::operations(&interface::complete(interface.get_openapi().clone()));
    [described, api_docs::operations(), pages::operations(has_faults), realtime::operations()].concat()
}
