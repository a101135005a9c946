//! The routes of the features and of the operators, and the layers that every request passes, in their order.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::Response;
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::ConfigError;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation as Documented;
use utoipa::openapi::response::Response as Answer;
use utoipa::openapi::{OpenApi as Interface, RefOr};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::features::accounts::admit;
use crate::http::{ApiError, Code, faults, layers, origin};
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
/// When `PUBLIC_URL` or one of `SOCKET_ORIGINS` is no origin.
pub fn build(interface: OpenApiRouter<AppState>, state: AppState) -> Result<Router, ConfigError> {
    let operations = operations_of(&interface, state.faults.is_some());
    let measured = HttpLayer::new(state.metrics.clone(), &operations, Code::classes, state.pulse.answered());
    // In one step with the layer inside it: each step boxes its futures and bodies anew.
    layered(interface, state, |router, panics| router.layer((measured, panics)))
}

/// The same without the metrics layer: what `benches/overhead.rs` compares with.
///
/// # Errors
/// As [`build`].
pub fn build_unmeasured(interface: OpenApiRouter<AppState>, state: AppState) -> Result<Router, ConfigError> {
    layered(interface, state, Router::layer)
}

type PanicHandler = fn(Box<dyn Any + Send>) -> Response;

fn layered(
    interface: OpenApiRouter<AppState>,
    state: AppState,
    observe: impl FnOnce(Router<AppState>, CatchPanicLayer<PanicHandler>) -> Router<AppState>,
) -> Result<Router, ConfigError> {
    let (router, description) = interface.split_for_parts();
    let own_pages = origin::layer(&state.config)?;
    let docs = Router::from(SwaggerUi::new(DOCS).url(DESCRIPTION, interface::public(interface::complete(description))))
        .layer(middleware::map_response(allow_docs));
    let admission: Admission = Arc::new(|state, headers, token| Box::pin(admit(state, headers, token)));
    let sockets = state.realtime.open(&state, features::sockets(), admission, own_pages.clone());
    // From the innermost to the outermost.
    let mut router = router
        .merge(docs)
        .merge(pages::routes(state.faults.is_some()))
        .fallback(async || ApiError::new(Code::NotFound))
        .method_not_allowed_fallback(async || ApiError::new(Code::MethodNotAllowed));
    // Faults strike as if the handler failed.
    if let Some(service) = &state.faults {
        router = router.layer(middleware::from_fn_with_state(service.armed().clone(), faults::strike));
    }
    let router = router
        // Cookies are sent by browsers on behalf of any site: only our own pages may change things with them.
        .layer(own_pages)
        // An answer has a deadline.
        .layer(middleware::from_fn_with_state(state.clone(), layers::limit_time))
        // People read a problem on a page.
        .layer(middleware::from_fn_with_state(state.clone(), pages::explain))
        // Long polls and sockets have deadlines of their own.
        .merge(sockets);
    // A panic ends its request, not the process; around that, measurement sees every answer that is made inside.
    let router = observe(router, CatchPanicLayer::custom(layers::panicked as PanicHandler))
        // Problems and log lines of the layers inside name the request.
        .layer(middleware::from_fn_with_state(state.clone(), layers::identify));
    Ok(router.with_state(state))
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
