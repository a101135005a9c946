//! Requests with unknown paths, malformed or unknown identifiers, or unsupported methods. Each request gets the right problem and never a
//! 500, changes nothing, and is counted once. `bad_input` covers bodies and headers.

use reqwest::Method;

use crate::bad_input::{Fixture, OWN_ID};
use crate::support::Ask;

#[tokio::test]
async fn unknown_routes_and_malformed_identifiers_are_not_found() {
    let fixture = Fixture::new().await;
    let get = |path: &str| fixture.app.get(path).bearer_auth(&fixture.ada.token);
    let long = format!("/{}", "x".repeat(4000));
    for path in [
        "/nope",
        "/api",
        "/api/",
        "/api/projects/",
        "//api/projects",
        "/API/projects",
        "/api/projects/a/b/c/d",
        "/%00",
        "/%ff%fe",
        "/api/projects%2f",
        "/metrics/x",
        "/.env",
        &long,
    ] {
        fixture.refuses(path, get(path), "other", 404, "not_found").await;
    }
    for id in [
        "abc",
        "0",
        "-1",
        "%00",
        "%ff",
        "..%2f..%2fmetrics",
        "019f0000-0000-7000-8000-00000000000",
        "%F0%9F%A6%80",
        OWN_ID,
        &"9".repeat(3000),
    ] {
        fixture.refuses(id, get(&format!("/api/projects/{id}")), "/api/projects/{id}", 404, "not_found").await;
    }
    for slug in ["abc", "%00", "%ff", "..%2f..%2fmetrics", "A", "%F0%9F%A6%80", &"9".repeat(3000)] {
        fixture.refuses(slug, fixture.app.get(&format!("/api/showcase/{slug}")), "/api/showcase/{slug}", 404, "not_found").await;
    }
    let path = format!("/api/projects/{}/members/abc", fixture.project);
    let request = fixture.app.delete(&path).bearer_auth(&fixture.ada.token);
    fixture.refuses(&path, request, "/api/projects/{id}/members/{user_id}", 404, "not_found").await;
    let request = fixture.app.delete("/api/auth/sessions/abc").bearer_auth(&fixture.ada.token);
    fixture.refuses("a malformed session id", request, "/api/auth/sessions/{id}", 404, "not_found").await;
}

#[tokio::test]
async fn a_response_to_an_unsupported_method_lists_the_supported_methods() {
    let fixture = Fixture::new().await;
    let (project, brew) = (format!("/api/projects/{}", fixture.project), Method::from_bytes(b"BREW").unwrap());
    let cases = [
        (Method::PUT, "/api/projects", "/api/projects", "GET"),
        (Method::DELETE, "/api/projects", "/api/projects", "POST"),
        (Method::POST, &project, "/api/projects/{id}", "PATCH"),
        (brew, "/api/auth/login", "/api/auth/login", "POST"),
        (Method::GET, "/api/auth/login", "/api/auth/login", "POST"),
        (Method::POST, "/metrics", "/metrics", "GET"),
        (Method::DELETE, "/health/ready", "/health/ready", "GET"),
    ];
    for (method, path, route, allowed) in cases {
        let case = format!("{method} {path}");
        let request = fixture.app.request(method, path).bearer_auth(&fixture.ada.token);
        // `refuses` cannot count requests to `/metrics`, because it requests that route itself.
        let answer = if route == "/metrics" {
            request.answer().await.problem(405, "method_not_allowed")
        } else {
            fixture.refuses(&case, request, route, 405, "method_not_allowed").await
        };
        // RFC 9110, 15.5.6: a 405 response lists the allowed methods.
        assert!(answer.header("allow").contains(allowed), "{case}: Allow: {}", answer.header("allow"));
    }
}
