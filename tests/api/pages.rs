//! Pages as the server renders them: access, contents and security. Also the files of the bundle.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::{Answer, Ask, Studio, TestApp, User};

/// The Accept header of a browser's navigation.
const NAVIGATION: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const FOR_EVERYBODY: [&str; 6] = ["/", "/about", "/login", "/confirm", "/password-reset", "/projects"];
const FOR_ACCOUNTS: [&str; 5] =
    ["/studio", "/studio/posts", "/studio/accounts", "/studio/accounts/second-factor", "/studio/accounts/events"];

fn visit(app: &TestApp, path: &str) -> RequestBuilder {
    app.get(path).header("accept", NAVIGATION)
}

fn visit_as(app: &TestApp, user: &User, path: &str) -> RequestBuilder {
    visit(app, path).header("cookie", format!("vitrine={}", user.token))
}

/// Asserts that the answer is a page with this status and a strict content security policy, without inline styles, `onclick`, `onload` or
/// `javascript:`. Returns the HTML.
#[track_caller]
fn page(answer: Answer, status: u16) -> String {
    let answer = answer.expect(status);
    let html = answer.text();
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(html.starts_with("<!doctype html>") || html.starts_with("<!DOCTYPE html>"), "{html}");
    for refused in [" style=", " onclick=", " onload=", "<style", "javascript:"] {
        assert!(!html.contains(refused), "{refused} in {html}");
    }
    html
}

#[tokio::test]
async fn pages_are_shown_to_users_who_may_see_them() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let environment = studio.environment("box").await;
    for path in FOR_EVERYBODY {
        let html = page(visit(&app, path).answer().await, 200);
        assert!(html.contains(&format!("data-route=\"{path}\"")), "{html}");
        assert!(!html.contains("data-user="), "{path}");
    }
    for path in FOR_ACCOUNTS {
        let html = page(visit_as(&app, &studio.user, path).answer().await, 200);
        assert!(html.contains(&format!("data-route=\"{path}\"")) && html.contains("data-user="), "{html}");
    }
    let html = page(visit_as(&app, &studio.user, &format!("/studio/projects/{}", studio.project)).answer().await, 200);
    assert!(html.contains("data-route=\"/studio/projects/{id}\"") && html.contains("box"), "{html}");
    let html = page(visit_as(&app, &studio.user, &format!("/studio/environments/{environment}")).answer().await, 200);
    assert!(html.contains("data-route=\"/studio/environments/{id}\"") && html.contains("box"), "{html}");
}

#[tokio::test]
async fn pages_reload_themselves_only_if_the_configuration_says_so() {
    let (usual, development) = (TestApp::start().await, TestApp::with(&["--reload-pages=on"]).await);
    for path in FOR_EVERYBODY {
        assert!(!page(visit(&usual, path).answer().await, 200).contains("data-reload"), "{path}");
        assert!(page(visit(&development, path).answer().await, 200).contains(" data-reload>"), "{path}");
    }
}

#[tokio::test]
async fn a_visitor_is_redirected_to_the_login_and_back() {
    let app = TestApp::start().await;
    let id = uuid::Uuid::now_v7();
    let paths = [format!("/studio/projects/{id}"), format!("/studio/environments/{id}")];
    let with_query = "/studio/posts?cursor=AAAA".to_owned();
    for path in FOR_ACCOUNTS.iter().map(|path| (*path).to_owned()).chain(paths).chain([with_query]) {
        let answer = visit(&app, &path).answer().await.expect(303);
        assert_eq!(answer.header("location"), format!("/login?next={}", path.replace('/', "%2F").replace('?', "%3F").replace('=', "%3D")));
        let html = page(visit(&app, answer.header("location")).answer().await, 200);
        assert!(html.contains(&format!("data-goto=\"{path}\"")), "{html}");
    }
}

#[tokio::test]
async fn a_login_never_redirects_to_another_site() {
    let app = TestApp::start().await;
    for next in
        ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "%2F%2Fevil.example", "/%0d%0aevil.example"]
    {
        let html = page(visit(&app, &format!("/login?next={next}")).answer().await, 200);
        assert!(html.contains("data-goto=\"/studio\"") && !html.contains("evil"), "{next}: {html}");
    }
}

#[tokio::test]
async fn other_users_do_not_find_private_pages_and_viewers_get_no_controls() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let environment = studio.environment("box").await;
    let stranger = app.user("eve").await;
    for path in
        [format!("/studio/projects/{}", studio.project), format!("/studio/environments/{environment}"), "/projects/nothing".to_owned()]
    {
        let html = page(visit_as(&app, &stranger, &path).answer().await, 404);
        assert!(!html.contains("box"), "{html}");
    }
    let viewer = app.user("vic").await;
    app.add_member(&studio.user, &studio.project, &viewer, "viewer").await.expect(201);
    let html = page(visit_as(&app, &viewer, &format!("/studio/environments/{environment}")).answer().await, 200);
    for change in ["/start", "/stop", "/restart", "/sessions", "data-open-terminal"] {
        assert!(!html.contains(&format!("{environment}{change}")) && !html.contains("data-open-terminal"), "{change}: {html}");
    }
}

#[tokio::test]
async fn the_page_of_an_environment_shows_every_active_session_and_its_user() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let environment = studio.running("box").await;
    let admin = app.admin().await;
    let open = app.as_user(&admin, Method::POST, &format!("/api/environments/{environment}/sessions"));
    let of_admin = open.json(&json!({ "type": "tmux" })).answer().await.expect(201).json();
    // More closed sessions than the page shows, all newer than the admin's.
    let closed = "INSERT INTO env_sessions (id, environment_id, user_id, type, status, closed_at)
                  SELECT ('ffffffff-ffff-7fff-8fff-' || lpad(n::text, 12, '0'))::uuid, environment_id, user_id, 'shell', 'closed', now()
                  FROM env_sessions, generate_series(1, 30) n";
    app.stores.execute(closed).await;
    let close = format!("/api/sessions/{}", of_admin["id"].as_str().unwrap());
    let path = format!("/studio/environments/{environment}");
    let html = page(visit_as(&app, &studio.user, &path).answer().await, 200);
    assert!(html.contains(&close) && html.contains("not a member") && !html.contains("former member"), "{html}");
    let html = page(visit_as(&app, &admin, &path).answer().await, 200);
    assert!(html.contains(&close) && html.contains("Return to tmux") && !html.contains("not a member"), "{html}");
}

#[tokio::test]
async fn an_error_is_a_page_for_navigation_and_problem_json_for_other_requests() {
    let app = TestApp::start().await;
    let before = app.settled().await;
    let html = page(visit(&app, "/nothing/here").answer().await, 404);
    assert!(html.contains("Not found") && html.contains("data-route=\"\""), "{html}");
    app.get("/nothing/here").answer().await.problem(404, "not_found");
    page(visit(&app, "/api/oauth/nobody/callback?code=x").answer().await, 404);
    app.get("/api/auth/me").header("accept", "application/json").answer().await.problem(401, "unauthenticated");
    let after = app.settled().await;
    assert_eq!(after.since(&before, "api_errors_total", &[("route", "other"), ("status", "404")]), 2.0);
    let post = app.post("/login").header("accept", NAVIGATION).answer().await;
    post.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn pages_escape_user_input() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    let project = app.project(&ada, evil, "private").await;
    let id = project["id"].as_str().unwrap();
    app.post(&format!("/api/projects/{id}/publish")).bearer_auth(&ada.token).json(&json!({ "slug": "evil" })).answer().await.expect(200);
    for path in ["/", "/projects", "/projects/evil", "/studio", "/studio/posts", &format!("/studio/projects/{id}")] {
        let html = page(visit_as(&app, &ada, path).answer().await, 200);
        assert!(!html.contains("<script>alert") && !html.contains("<img src=x"), "{path}: {html}");
    }
    // The form for changes contains the escaped text.
    let html = page(visit_as(&app, &ada, &format!("/studio/projects/{id}")).answer().await, 200);
    assert!(html.contains("value=\"&#60;script&#62;alert(1)"), "{html}");
    let html = page(visit(&app, "/login?next=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E").answer().await, 200);
    assert!(!html.contains("<script>alert"), "{html}");
}

#[tokio::test]
async fn files_of_the_bundle_are_cached_for_a_year_and_sent_compressed() {
    let app = TestApp::start().await;
    let html = page(visit(&app, "/").answer().await, 200);
    let path = html.split('"').find(|text| text.starts_with("/assets/app-") && text.contains(".js")).expect("no script").to_owned();
    let whole = app.get(&path).answer().await.expect(200);
    assert_eq!(whole.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(whole.header("cache-control"), "public, max-age=31536000, immutable");
    for (accepted, coding) in [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip")] {
        let packed = app.get(&path).header("accept-encoding", accepted).answer().await.expect(200);
        assert_eq!((packed.header("content-encoding"), packed.header("vary")), (coding, "accept-encoding"));
        assert!(packed.body.len() < whole.body.len());
    }
    for path in ["/assets/manifest.json", "/assets/nothing.js", "/assets/..%2f..%2fCargo.toml", "/assets/%00", "/assets/"] {
        app.get(path).answer().await.problem(404, "not_found");
    }
    assert_eq!(app.get("/favicon.ico").answer().await.expect(200).header("content-type"), "image/svg+xml");
}

#[tokio::test]
async fn rendering_a_page_is_measured_once_by_its_route() {
    let app = TestApp::start().await;
    let before = app.settled().await;
    visit(&app, "/projects/nothing").answer().await.expect(404);
    visit(&app, "/").answer().await.expect(200);
    visit(&app, "/studio").answer().await.expect(303);
    let after = app.settled().await;
    let grown = after.grown(&before, "ssr_duration_seconds_count");
    assert_eq!(grown, [("route=/", 1.0), ("route=/projects/{slug}", 1.0)].map(|(route, count)| (route.to_owned(), count)).into());
    assert_eq!(after.since(&before, "http_requests_total", &[("route", "/studio"), ("status", "303")]), 1.0);
}

#[tokio::test]
async fn a_cookie_of_an_ended_session_signs_nobody_in() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.as_user(&ada, Method::POST, "/api/auth/logout").answer().await.expect(204);
    visit_as(&app, &ada, "/studio").answer().await.expect(303);
    assert!(!page(visit_as(&app, &ada, "/").answer().await, 200).contains("data-user="));
}
