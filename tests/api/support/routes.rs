//! Routes for tests of the HTTP layers; most of these routes panic, hang or break off. Tests add them to the routes of the service.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vitrine::state::AppState;

/// One chunk of a streamed response.
pub const PIECE: &[u8] = b"and so on ";

pub fn misbehaving() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(panics))
        .routes(routes!(panics_in_its_body))
        .routes(routes!(breaks_off))
        .routes(routes!(never_answers))
        .routes(routes!(never_ends))
        .routes(routes!(echo))
        .routes(routes!(pieces))
}

#[utoipa::path(get, path = "/test/panic", responses((status = 200)))]
async fn panics() -> Response {
    panic!("on purpose")
}

#[utoipa::path(get, path = "/test/panic-late", responses((status = 200)))]
async fn panics_in_its_body() -> Body {
    Body::from_stream(stream::unfold(0, async |count| {
        assert!(count < 2, "on purpose");
        Some((Ok::<_, Infallible>(Bytes::from_static(PIECE)), count + 1))
    }))
}

#[utoipa::path(get, path = "/test/break-off", responses((status = 200)))]
async fn breaks_off() -> Body {
    Body::from_stream(stream::iter([Ok(Bytes::from_static(PIECE)), Err(io::Error::other("on purpose"))]))
}

#[utoipa::path(get, path = "/test/never", responses((status = 200)))]
async fn never_answers() -> Response {
    std::future::pending().await
}

#[utoipa::path(get, path = "/test/endless", responses((status = 200)))]
async fn never_ends() -> Body {
    Body::from_stream(stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(PIECE)), ()))
    }))
}

#[utoipa::path(post, path = "/test/echo", request_body = String, responses((status = 200)))]
async fn echo(body: Bytes) -> Bytes {
    body
}

/// Sends this many chunks.
#[utoipa::path(get, path = "/test/pieces/{count}", params(("count" = usize, Path)), responses((status = 200)))]
async fn pieces(Path(count): Path<usize>) -> Response {
    let pieces = std::iter::repeat_n(Ok::<_, Infallible>(Bytes::from_static(PIECE)), count);
    Body::from_stream(stream::iter(pieces)).into_response()
}
