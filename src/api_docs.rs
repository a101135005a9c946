//! The documentation of the API: the `OpenAPI` description and Swagger UI.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::Response;
use axum::{Router, middleware};
use utoipa::openapi::OpenApi as Interface;
use utoipa_swagger_ui::SwaggerUi;

use crate::interface::page;
use crate::metrics::http::Operation;

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

/// The routes of the description and of Swagger UI.
pub fn routes<S: Clone + Send + Sync + 'static>(description: Interface) -> Router<S> {
    Router::from(SwaggerUi::new(DOCS).url(DESCRIPTION, description)).layer(middleware::map_response(allow_docs))
}

/// The operations of [`routes`], for the HTTP metrics.
#[must_use]
pub fn operations() -> Vec<Operation> {
    vec![
        page(DESCRIPTION, DESCRIPTION, &[200]),
        page(DOCS, DOCS, &[303]),
        page(DOCS_PAGE, DOCS, &[200]),
        page(DOCS_FILES, DOCS, &[200, 400, 404]),
    ]
}

async fn allow_docs(mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
    response
}
