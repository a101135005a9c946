//! The lower bound of the costs that `cargo xtask peers` compares: axum with only `GET /health`, without state, layers, metrics or log.

use std::time::Instant;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let started = Instant::now();
    let health = async move || -> Json<Value> {
        Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "uptime": started.elapsed().as_secs() }))
    };
    let app = Router::new().route("/health", get(health));
    let listener = tokio::net::TcpListener::bind(std::env::var("LISTEN_ADDRESS")?).await?;
    axum::serve(listener, app).await?;
    Ok(())
}
