#!/bin/sh
# tower-http 0.7.1: `ServeDir` sends entity tags and ranges, but ignores `If-Range`, so a resumed download joins two versions of a file.
#
# Expected: version 0.7.0 added entity tags with "precondition handling per RFC 9110". A client that resumes a download sends the entity tag
#   of its first part in If-Range. If the file has changed, the server must ignore Range and send the whole new file with status 200
#   (RFC 9110, 13.1.5).
# Actual: the answer is 206 with the rest of the new file, as if If-Range was absent, and the client appends it to a part of the old file.
#   A date in If-Range is ignored, too. ServeDir does see that the file has changed: If-Match with the same entity tag answers 412.
#   Downloads are safe if each version of a file has its own name, or if a layer removes Range from requests with If-Range.
# Source: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5 and
#   https://github.com/tower-rs/tower-http/blob/tower-http-0.7.1/tower-http/CHANGELOG.md
# Needs cargo.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/src" "$work/files"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "resumed"
version = "0.0.0"
edition = "2024"

[dependencies]
http = "1"
http-body-util = "0.1"
tokio = { version = "1", features = ["rt", "macros"] }
tower = { version = "0.5", features = ["util"] }
tower-http = { version = "=0.7.1", features = ["fs"] }
TOML
cat >"$work/src/main.rs" <<'RUST'
use http::{Request, Response, header};
use http_body_util::{BodyExt, Empty};
use std::time::{Duration, SystemTime};
use tower::ServiceExt;
use tower_http::services::ServeDir;

const FILE: &str = "files/download.txt";

/// Writes a version of the file, as of this many minutes ago.
fn write(content: &str, minutes: u64) {
    std::fs::write(FILE, content).unwrap();
    let modified = SystemTime::now() - Duration::from_secs(60 * minutes);
    std::fs::File::options().write(true).open(FILE).unwrap().set_modified(modified).unwrap();
}

/// The answer to a request for the file with these headers: status, one of its headers, body.
async fn get(headers: &[(&str, &str)], wanted: header::HeaderName) -> (u16, String, String) {
    let request = headers
        .iter()
        .fold(Request::get("/download.txt"), |request, (name, value)| request.header(*name, *value));
    let request = request.body(Empty::<&[u8]>::new()).unwrap();
    let response: Response<_> = ServeDir::new("files").oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let value = response.headers().get(wanted).map_or("", |value| value.to_str().unwrap()).to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, value, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    write("old old old old ", 20);
    let (_, old, _) = get(&[], header::ETAG).await;
    let (_, date, _) = get(&[], header::LAST_MODIFIED).await;
    // The client has received the first half when the file changes.
    write("new new new new, and longer", 10);
    let (_, new, whole) = get(&[], header::ETAG).await;
    assert_ne!(old, new);
    let (tag, _, rest) = get(&[("range", "bytes=8-"), ("if-range", &old)], header::CONTENT_RANGE).await;
    let (dated, ..) = get(&[("range", "bytes=8-"), ("if-range", &date)], header::CONTENT_RANGE).await;
    let (matched, ..) = get(&[("if-match", &old)], header::ETAG).await;
    let (unchanged, ..) = get(&[("if-none-match", &new)], header::ETAG).await;
    println!("If-Range with the old entity tag: {tag}, with the old date: {dated}; If-Match with the old entity tag: {matched}");
    println!("the client has: {:?}; the file is: {whole:?}", format!("old old {rest}"));
    let reproduced = (tag, dated, matched, unchanged) == (206, 206, 412, 304) && rest == whole[8..];
    std::process::exit(i32::from(!reproduced));
}
RUST
cd "$work"
cargo run --quiet
