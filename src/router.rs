//! The routes of the features and of the operators, and the layers that every request passes, in their order.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::Response;
use axum::routing::Route;
use axum::{Router, middleware};
use tower::Layer;
use tower::layer::layer_fn;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation as Documented;
use utoipa::openapi::response::Response as Answer;
use utoipa::openapi::{OpenApi as Interface, RefOr};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::app::AppError;
use crate::features::accounts::admit;
use crate::http::layers::{self, Endpoint};
use crate::http::{ApiError, Code, faults, origin};
use crate::interface::{ANY, Description};
use crate::metrics::http::{HttpLayer, Operation};
use crate::metrics::labels::PageRoute;
use crate::realtime::Admission;
use crate::state::AppState;
use crate::{features, interface, operations, pages, realtime};

/// Where the description of the interface is.
const DESCRIPTION: &str = "/api/openapi.json";
/// Where it can be read and tried.
const DOCS: &str = "/api/docs";
/// The page itself.
const DOCS_PAGE: &str = "/api/docs/";
/// Everything below it.
const DOCS_FILES: &str = "/api/docs/{*rest}";
/// Swagger UI sets styles on its elements; its scripts come from here.
const DOCS_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";

/// Every route of the service.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Description::openapi()).merge(features::routes()).merge(operations::routes())
}

/// These routes, and those of faults where they are on: elsewhere there is nothing to call and nothing to count.
#[must_use]
pub fn with_faults(interface: OpenApiRouter<AppState>, are_on: bool) -> OpenApiRouter<AppState> {
    if are_on { interface.merge(features::faults::routes()) } else { interface }
}

/// The description of every route that there can be.
#[must_use]
pub fn description() -> Interface {
    interface::complete(with_faults(routes(), true).split_for_parts().1)
}

/// The templates of the routes with handlers, as they are matched.
#[must_use]
pub fn templates(interface: &OpenApiRouter<AppState>) -> BTreeSet<String> {
    let operations = operations_of(interface, true);
    operations.into_iter().map(|operation| operation.matched).filter(|template| template != realtime::PATH).collect()
}

/// Puts the layers around routes.
///
/// # Errors
/// When `PUBLIC_URL` or one of `SOCKET_ORIGINS` is no origin, or the name of the replica cannot be in a header.
pub fn build(interface: OpenApiRouter<AppState>, state: AppState) -> Result<Router, AppError> {
    let operations = operations_of(&interface, state.faults.is_some());
    let measured = HttpLayer::new(state.metrics.clone(), &operations, Code::classes, state.pulse.answered());
    let watched = Watched { measured, replica: HeaderValue::from_str(&state.config.replica)? };
    let own_pages = origin::layer(&state.config)?;
    let admission: Admission = Arc::new(|state, headers, token| Box::pin(admit(state, headers, token)));
    // Long polls and sockets have deadlines of their own.
    let sockets = state.realtime.open(&state, features::sockets(), admission, own_pages.clone());
    let watch_sockets = watched.clone();
    let sockets = sockets.layer(layer_fn(move |route: Route| watch_sockets.around(route)));
    let limit = state.config.request_timeout;
    // From the innermost to the outermost.
    let around = {
        let state = state.clone();
        move |route: Route| {
            // Cookies are sent by browsers on behalf of any site: only our own pages may change things with them.
            let guarded = own_pages.layer(route);
            // An answer has a deadline.
            let limited = layers::limit_time(limit, guarded);
            // People read a problem on a page.
            watched.around(pages::explain(state.clone(), limited))
        }
    };
    Ok(answering(interface, &state).layer(layer_fn(around)).merge(sockets).with_state(state))
}

/// The routes without the layers: what `benches/overhead.rs` compares with.
pub fn build_bare(interface: OpenApiRouter<AppState>, state: AppState) -> Router {
    answering(interface, &state).with_state(state)
}

/// What every request passes.
#[derive(Clone)]
struct Watched {
    measured: HttpLayer,
    replica: HeaderValue,
}

impl Watched {
    /// A panic ends its request, not the process; around that, measurement sees every answer that is made inside. Problems and
    /// log lines of everything inside name the request.
    fn around<S: Endpoint>(&self, inner: S) -> impl Endpoint + use<S> {
        let caught = CatchPanicLayer::custom(layers::panicked as fn(Box<dyn Any + Send>) -> Response).layer(inner);
        layers::identify(self.replica.clone(), self.measured.layer(caught))
    }
}

/// What answers: the features, the pages, the description, and the problem where nothing else does.
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
        // Faults strike as if the handler failed.
        Some(service) => router.layer(middleware::from_fn_with_state(service.armed().clone(), faults::strike)),
        None => router,
    }
}

async fn allow_docs(mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
    response
}

/// The label domain of the HTTP metrics: what the description says that there is.
fn operations_of(interface: &OpenApiRouter<AppState>, has_faults: bool) -> Vec<Operation> {
    let description = interface::complete(interface.get_openapi().clone());
    // The pages of the description describe themselves nowhere.
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

/// Socket.IO: the library answers, and what it answers is its protocol's.
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

/// Whether a success has a body.
fn has_answer(documented: &Documented) -> bool {
    let described = |answer: &RefOr<Answer>| matches!(answer, RefOr::T(answer) if !answer.content.is_empty());
    let mut answers = documented.responses.responses.iter();
    answers.any(|(status, answer)| status == "200" || (status.starts_with('2') && described(answer)))
}
