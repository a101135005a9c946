//! Paged lists: no item twice, none omitted.

use reqwest::Method;
use serde_json::Value;

use crate::support::{Ask, TestApp, User};

async fn page(app: &TestApp, user: &User, path: &str, limit: usize, cursor: Option<&str>) -> (Vec<Value>, Option<String>) {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let page = app.as_user(user, Method::GET, &format!("{path}?limit={limit}{cursor}")).answer().await.expect(200).json();
    (page["items"].as_array().unwrap().clone(), page["next_cursor"].as_str().map(str::to_owned))
}

fn names(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn forty_five_projects_are_listed_newest_first_without_gaps_or_repeats_while_others_are_created() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    for number in 0..45 {
        app.project(&ada, &format!("old {number}"), "private").await;
    }
    app.project(&eve, "another user's", "public").await;
    let (mut seen, mut cursor, mut sizes) = (Vec::new(), None, Vec::new());
    loop {
        let (items, next) = page(&app, &ada, "/api/projects", 20, cursor.as_deref()).await;
        sizes.push(items.len());
        seen.extend(names(&items));
        app.project(&ada, &format!("new {}", sizes.len()), "private").await;
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [20, 20, 5]);
    assert_eq!(seen, (0..45).rev().map(|number| format!("old {number}")).collect::<Vec<_>>());
    assert_eq!(names(&page(&app, &ada, "/api/projects", 4, None).await.0), ["new 3", "new 2", "new 1", "old 44"]);
}

#[tokio::test]
async fn a_page_that_ends_the_list_exactly_has_no_next_cursor() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    assert_eq!(page(&app, &ada, "/api/projects", 20, None).await, (Vec::new(), None));
    for number in 0..4 {
        app.project(&ada, &format!("{number}"), "private").await;
    }
    let (items, next) = page(&app, &ada, "/api/projects", 2, None).await;
    assert_eq!(items.len(), 2);
    let (items, end) = page(&app, &ada, "/api/projects", 2, next.as_deref()).await;
    assert_eq!((items.len(), end), (2, None));
    // After the deletion of a project on the second page, the same cursor returns the rest of that page.
    let id = items[0]["id"].as_str().unwrap();
    app.as_user(&ada, Method::DELETE, &format!("/api/projects/{id}")).answer().await.expect(204);
    assert_eq!(names(&page(&app, &ada, "/api/projects", 2, next.as_deref()).await.0), ["0"]);
}

#[tokio::test]
async fn sessions_and_members_are_paged_like_projects() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let project = app.project(&ada, "One", "private").await;
    let path = format!("/api/projects/{}/members", project["id"].as_str().unwrap());
    for name in ["bob", "cyd", "dan"] {
        let member = app.user(name).await;
        app.add_member(&ada, project["id"].as_str().unwrap(), &member, "viewer").await.expect(201);
        app.token(&ada.email).await;
    }
    for (path, key) in [(path.as_str(), "user_id"), ("/api/auth/sessions", "id")] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let (items, next) = page(&app, &ada, path, 3, cursor.as_deref()).await;
            seen.extend(items.iter().map(|item| item[key].as_str().unwrap().to_owned()));
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 4, "{path}");
        assert!(seen.is_sorted_by(|newer, older| newer > older), "{path}: {seen:?}");
    }
}

#[tokio::test]
async fn invalid_limits_and_cursors_are_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let project = app.project(&ada, "One", "private").await;
    let members = format!("/api/projects/{}/members", project["id"].as_str().unwrap());
    for path in ["/api/projects", "/api/auth/sessions", &members] {
        for query in ["limit=0", "limit=101", "limit=abc", "limit=-1", "limit=", "limit=1.5", "limit=300", "limit=1e1", "limit=1&limit=2"] {
            let answer = app.as_user(&ada, Method::GET, &format!("{path}?{query}")).answer().await;
            assert_eq!(answer.problem(400, "invalid_query").json()["instance"], path, "{query}");
        }
        for cursor in ["x", "", "%21%21", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA==", "%00", "%ff", &"A".repeat(3000), &project["id"].to_string()] {
            let answer = app.as_user(&ada, Method::GET, &format!("{path}?cursor={}", cursor.trim_matches('"'))).answer().await;
            let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
            assert!(matches!(&*code, "invalid_cursor" | "invalid_query"), "{cursor}: {}", answer.text());
            answer.problem(400, &code);
        }
        for fine in ["limit=1", "limit=100", "unknown=1"] {
            app.as_user(&ada, Method::GET, &format!("{path}?{fine}")).answer().await.expect(200);
        }
    }
}
