//! All routes, and the layers around them in their order.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::Response;
use axum::routing::Route;
use axum::{BoxError, Router, middleware};
use tower::Layer;
use tower::layer::layer_fn;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation as Documented;
use utoipa::openapi::response::Response as Answer;
use utoipa::openapi::{OpenApi as Interface, RefOr};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::features::accounts::admit;
use crate::http::layers::{self, Endpoint};
use crate::http::{ApiError, Code, faults, origin};
use crate::interface::{ANY, Description};
use crate::metrics::http::{HttpLayer, Operation};
use crate::metrics::labels::PageRoute;
use crate::realtime::Admission;
use crate::state::AppState;
use crate::{features, interface, operations, pages, realtime};

/// The `OpenAPI` description.
const DESCRIPTION: &str = "/api/openapi.json";
/// Redirects to [`DOCS_PAGE`].
const DOCS: &str = "/api/docs";
/// The page of Swagger UI.
const DOCS_PAGE: &str = "/api/docs/";
/// The files of Swagger UI.
const DOCS_FILES: &str = "/api/docs/{*rest}";
/// Swagger UI needs inline styles; its scripts are served from this origin.
const DOCS_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";

/// The routes of the features and for operators, without those of faults.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Description::openapi()).merge(features::routes()).merge(operations::routes())
}

/// Adds the routes of faults if fault injection is on. Otherwise they do not exist, neither as routes nor as metrics.
#[must_use]
pub fn with_faults(interface: OpenApiRouter<AppState>, are_on: bool) -> OpenApiRouter<AppState> {
    if are_on { interface.merge(features::faults::routes()) } else { interface }
}

/// The description of every possible route, including those of faults.
#[must_use]
pub fn description() -> Interface {
    interface::complete(with_faults(routes(), true).split_for_parts().1)
}

/// The templates of the matched routes that have handlers, which faults can target. Socket.IO has none.
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
    let watched = Watched { measured, replica: HeaderValue::from_str(&state.config.replica)? };
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
    // From the innermost layer to the outermost.
    let around = {
        let state = state.clone();
        move |route: Route| {
            // Browsers send cookies with requests from any site: only our own pages may change state with them.
            let guarded = own_pages.layer(route);
            // Every response has a deadline.
            let limited = layers::limit_time(limit, guarded);
            // Browsers receive a problem as an HTML page.
            watched.around(pages::explain(state.clone(), limited))
        }
    };
    Ok(answering(interface, &state).layer(layer_fn(around)).merge(sockets).with_state(state))
}

/// The routes without their layers, as a baseline for `benches/overhead.rs`.
pub fn build_bare(interface: OpenApiRouter<AppState>, state: AppState) -> Router {
    answering(interface, &state).with_state(state)
}

/// The outermost layers, which every request passes.
#[derive(Clone)]
struct Watched {
    measured: HttpLayer,
    replica: HeaderValue,
}

impl Watched {
    /// Adds three layers. The innermost turns a panic into a response. Measurement around it sees every response that is made
    /// inside. The outermost identifies the request, so that problems and log lines made inside contain its identifier.
    fn around<S: Endpoint>(&self, inner: S) -> impl Endpoint + use<S> {
        let caught = CatchPanicLayer::custom(layers::panicked as fn(Box<dyn Any + Send>) -> Response).layer(inner);
        layers::identify(self.replica.clone(), self.measured.layer(caught))
    }
}

/// Everything that answers: the features, the pages, the description, and a problem for unknown routes and methods.
fn answering(interface: OpenApiRouter<AppState>, state: &AppState) -> Router<AppState> {
    let (router, description) = interface.split_for_parts();
    let docs = Router::from(SwaggerUi::new(DOCS).url(DESCRIPTION, interface::public(interface::complete(description))))
        .layer(middleware::map_response(allow_docs));
    let router = router
        .merge(docs)
        .merge(pages::routes(state.faults.is_some()))
        .fallback(async || ApiError::new(Code::NotFound))
        .method_not_allowed_fallback(async || ApiError::new(Code::MethodNotAllowed));
    match &state.faults {
        // The innermost layer: an injected failure looks like a failure of the handler.
        Some(service) => router.layer(middleware::from_fn_with_state(service.injector().clone(), faults::inject)),
        None => router,
    }
}

async fn allow_docs(mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
    response
}

/// The label domain of the HTTP metrics: the operations in the description, and those that it omits.
fn operations_of(interface: &OpenApiRouter<AppState>, has_faults: bool) -> Vec<Operation> {
    let description = interface::complete(interface.get_openapi().clone());
    // Pages, assets and Socket.IO are not in the description.
    let mut operations = vec![
        page(DESCRIPTION, DESCRIPTION, &[200]),
        page(DOCS, DOCS, &[303]),
        page(DOCS_PAGE, DOCS, &[200]),
        page(DOCS_FILES, DOCS, &[200, 400, 404]),
        page(pages::ASSETS, pages::ASSETS, &[200, 404]),
        page(pages::ICON, pages::ASSETS, &[200, 404]),
        socket("GET", &[101, 200, 400, 403, 429, 500]),
        socket("POST", &[200, 400, 403, 408, 413, 500]),
    ];
    let pages = PageRoute::MEMBERS.iter().filter(|route| has_faults || **route != PageRoute::Faults);
    operations.extend(pages.map(|route| page(route.name(), route.name(), &[200, 303, 400, 404, 503])));
    for (route, item) in &description.paths.paths {
        let methods = [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("PATCH", &item.patch), ("DELETE", &item.delete)];
        for (method, documented) in methods {
            let Some(documented) = documented else { continue };
            let (matched, route, has_body) = (route.clone(), route.clone(), documented.request_body.is_some());
            let statuses = documented.responses.responses.keys().filter_map(|status| status.parse().ok()).collect();
            operations.push(Operation {
                method: method.to_owned(),
                matched,
                route,
                is_measured: true,
                has_body,
                has_answer: has_answer(documented),
                statuses,
            });
        }
    }
    operations
}

fn page(matched: &str, route: &str, own: &[u16]) -> Operation {
    let statuses = own.iter().copied().chain(ANY.map(Code::status)).collect();
    let (method, matched, route) = ("GET".to_owned(), matched.to_owned(), route.to_owned());
    Operation { method, matched, route, is_measured: true, has_body: false, has_answer: true, statuses }
}

/// An operation of Socket.IO: the library answers, according to its protocol.
fn socket(method: &str, statuses: &[u16]) -> Operation {
    let (method, matched, route) = (method.to_owned(), realtime::PATH.to_owned(), realtime::PATH.to_owned());
    Operation {
        method,
        matched,
        route,
        is_measured: false,
        has_body: false,
        has_answer: false,
        statuses: statuses.iter().copied().collect(),
    }
}

/// Whether a successful response has a body.
fn has_answer(documented: &Documented) -> bool {
    let described = |answer: &RefOr<Answer>| matches!(answer, RefOr::T(answer) if !answer.content.is_empty());
    let mut answers = documented.responses.responses.iter();
    answers.any(|(status, answer)| status == "200" || (status.starts_with('2') && described(answer)))
}
