//! Requests that write and read posts: the transaction of a new post, the permissions to write and read it, and refusals.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::post_fixture::LINK;
use crate::support::{Ask, Browser, Platforms, PostFixture, TestApp};

const ALL: [&str; 3] = ["linkedin", "mastodon", "x"];

#[tokio::test]
async fn a_post_is_stored_with_its_deliveries_and_their_jobs() {
    let platforms = Platforms::start().await;
    platforms.turn("mastodon", json!({ "outage": "error" })).await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["x", "linkedin"]).await;
    platforms.turn("mastodon", json!({})).await;
    fixture.link("mastodon").await;
    // No platform responds, so the deliveries stay pending.
    for platform in ALL {
        platforms.turn(platform, json!({ "outage": "hang" })).await;
    }
    let before = app.settled().await;
    let answer = fixture.write("  Look!\n\nIt is out.\n ", &["x", "mastodon", "linkedin"]).await.expect(201);
    let post = answer.json();
    assert_eq!(answer.header("location"), format!("/api/posts/{}", post["id"].as_str().unwrap()));
    assert_eq!(post["text"], "Look!\n\nIt is out.");
    assert_eq!((&post["project_id"], &post["author_id"]), (&json!(fixture.project), &json!(fixture.author.id)));
    let deliveries = post["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.iter().map(|delivery| delivery["platform"].as_str().unwrap()).collect::<Vec<_>>(), ALL);
    for delivery in deliveries {
        assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("pending"), &json!(0)));
        for name in ["last_error", "remote_id", "url", "delivered_at"] {
            assert_eq!(delivery[name], Value::Null);
        }
    }
    assert_eq!(fixture.read(post["id"].as_str().unwrap()).await, post);
    assert_eq!(app.settled().await.since(&before, "posts_created_total", &[]), 1.0);
    let links: Vec<String> = sqlx::query_scalar("SELECT link FROM posts").fetch_all(app.stores.pool()).await.unwrap();
    assert_eq!(links, [LINK]);
    assert_eq!(app.stores.count("SELECT count(*) FROM jobs WHERE kind = 'post_delivery'").await, 3);
}

#[tokio::test]
async fn fifty_concurrent_requests_with_one_key_create_one_post() {
    let platforms = Platforms::start().await;
    let arguments = platforms.arguments();
    let patient = ["--database-acquire-timeout=15s", "--database-statement-timeout=15s", &arguments[0], &arguments[1]];
    let one = TestApp::with(&patient).await;
    let two = TestApp::on(&one.stores, &patient).await;
    let fixture = PostFixture::open(&one, &["mastodon", "x"]).await;
    let body = fixture.body("Once.", &["mastodon", "x"]);
    let ask = async |app: &TestApp| {
        app.as_user(&fixture.author, Method::POST, "/api/posts").header("idempotency-key", "k-1").json(&body).answer().await
    };
    let answers = join_all((0..50).map(|index| ask(if index % 2 == 0 { &one } else { &two }))).await;
    let mut created = Vec::new();
    for answer in answers {
        if answer.status == 201 {
            created.push((answer.header("location").to_owned(), answer.text()));
        } else {
            answer.problem(409, "idempotency_in_progress");
        }
    }
    created.dedup();
    assert_eq!(created.len(), 1);
    let id = created[0].0.rsplit('/').next().unwrap();
    for platform in ["mastodon", "x"] {
        fixture.until(id, platform, "delivered").await;
        assert_eq!(platforms.count(platform, "posts").await, 1);
    }
    assert_eq!(one.stores.count("SELECT count(*) FROM posts").await, 1);
    // Another text with the same key is an error.
    let mut other = body.clone();
    other["text"] = json!("Twice.");
    let request = fixture.request(Method::POST, "/api/posts").header("idempotency-key", "k-1").json(&other);
    request.answer().await.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_post_is_visible_only_to_its_author_and_to_members() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon"]).await;
    let (editor, eve) = (app.user("editor").await, app.user("eve").await);
    app.add_member(&fixture.author, &fixture.project, &editor, "editor").await.expect(201);
    Browser::of(&editor.token).visit(&app, "mastodon", "grace").await.expect(303);
    let request = app.as_user(&editor, Method::POST, "/api/posts").json(&fixture.body("By the editor.", &["mastodon"]));
    let theirs = request.answer().await.expect(201).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/posts/{theirs}");
    assert_eq!(fixture.read(&theirs).await["author_id"], json!(editor.id));
    app.as_user(&eve, Method::GET, &path).answer().await.problem(404, "not_found");
    // Authors keep access to their posts after the end of their membership. The list contains only the user's own posts.
    let removed = format!("/api/projects/{}/members/{}", fixture.project, editor.id);
    fixture.request(Method::DELETE, &removed).answer().await.expect(204);
    app.as_user(&editor, Method::GET, &path).answer().await.expect(200);
    assert_eq!(app.as_user(&editor, Method::GET, "/api/posts").answer().await.expect(200).json()["items"][0]["id"], json!(theirs));
    assert_eq!(fixture.request(Method::GET, "/api/posts").answer().await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn the_list_returns_posts_newest_first_in_pages_with_their_deliveries() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon", "x"]).await;
    let mut written = Vec::new();
    for n in 0..5 {
        written.insert(0, fixture.post(&format!("Number {n}"), if n % 2 == 0 { &["mastodon", "x"] } else { &["x"] }).await);
    }
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = fixture.request(Method::GET, &format!("/api/posts?limit=2{cursor}")).answer().await.expect(200).json();
        listed.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed.iter().map(|post| post["id"].as_str().unwrap()).collect::<Vec<_>>(), written);
    for (post, deliveries) in listed.iter().zip([2, 1, 2, 1, 2]) {
        assert_eq!(post["deliveries"].as_array().unwrap().len(), deliveries, "{post}");
    }
    for query in ["limit=0", "limit=101", "limit=x", "cursor=%00", "cursor=abc"] {
        assert_eq!(fixture.request(Method::GET, &format!("/api/posts?{query}")).answer().await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn a_post_requires_a_published_project_and_active_linked_accounts() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon"]).await;
    let rows = app.stores.contents().await;
    let answer = fixture.write("Hello", &["mastodon", "x"]).await.problem(409, "not_linked");
    assert_eq!(answer.json()["detail"], "no x account is linked");
    for (change, back) in [
        ("UPDATE projects SET published_at = NULL", "UPDATE projects SET published_at = now()"),
        ("UPDATE projects SET visibility = 'private'", "UPDATE projects SET visibility = 'public'"),
    ] {
        app.stores.execute(change).await;
        fixture.write("Hello", &["mastodon"]).await.problem(409, "not_published");
        app.stores.execute(back).await;
    }
    app.stores.execute("UPDATE social_accounts SET status = 'expired'").await;
    let answer = fixture.write("Hello", &["mastodon"]).await.problem(409, "link_expired");
    assert_eq!(answer.json()["detail"], "the mastodon account must be linked again");
    app.stores.execute("UPDATE social_accounts SET status = 'active'").await;
    let now = app.stores.contents().await;
    assert_eq!(now.len(), rows.len());
    assert_eq!(app.stores.count("SELECT count(*) FROM posts").await, 0);
    fixture.write("Hello", &["mastodon"]).await.expect(201);
}

#[tokio::test]
async fn x_and_mastodon_count_the_link_and_linkedin_accepts_the_longest_text() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &ALL).await;
    // On X and Mastodon, the appended empty line and link count as 25 characters.
    for (platform, longest) in [("x", 280 - 25), ("mastodon", 500 - 25), ("linkedin", 2000)] {
        let answer = fixture.write(&"é".repeat(longest + 1), &[platform]).await.problem(422, "validation_failed");
        assert_eq!(answer.field_code("text").as_deref(), Some("too_long"));
        if platform != "linkedin" {
            assert!(answer.text().contains(platform), "{}", answer.text());
        }
        let id = fixture.post(&"é".repeat(longest), &[platform]).await;
        fixture.until(&id, platform, "delivered").await;
    }
    let answer = fixture.write(&"é".repeat(600), &ALL).await.problem(422, "validation_failed").json();
    let messages: Vec<_> = answer["errors"].as_array().unwrap().iter().map(|error| error["message"].as_str().unwrap()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_change_nothing() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon"]).await;
    let good = fixture.body("Hello", &["mastodon"]);
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let without = |name: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let cases = [
        (without("text"), "text", "required"),
        (without("project_id"), "project_id", "required"),
        (without("platforms"), "platforms", "required"),
        (with("text", json!("")), "text", "too_short"),
        (with("text", json!(" \n\t\u{a0} ")), "text", "too_short"),
        (with("text", json!("x".repeat(2001))), "text", "too_long"),
        (with("text", json!("a\u{0}b")), "text", "control_character"),
        (with("text", json!("a\u{1b}[31mb")), "text", "control_character"),
        (with("text", json!(null)), "text", "invalid"),
        (with("text", json!(["a"])), "text", "invalid"),
        (with("project_id", json!("one")), "project_id", "invalid"),
        (with("project_id", json!(7)), "project_id", "invalid"),
        (with("platforms", json!([])), "platforms", "too_short"),
        (with("platforms", json!(["mastodon", "mastodon"])), "platforms", "duplicate"),
        (with("platforms", json!(["github"])), "platforms", "not_offered"),
        (with("platforms", json!(["mastodon", "google"])), "platforms", "not_offered"),
        (with("platforms", json!(["facebook"])), "platforms[0]", "invalid"),
        (with("platforms", json!(["mastodon", "Mastodon"])), "platforms[1]", "invalid"),
        (with("platforms", json!([null])), "platforms[0]", "invalid"),
        (with("platforms", json!("mastodon")), "platforms", "invalid"),
        (with("platforms", json!({ "mastodon": true })), "platforms", "invalid"),
        (with("author_id", json!(fixture.author.id)), "author_id", "unknown"),
        (with("link", json!("https://evil.example")), "link", "unknown"),
    ];
    let (rows, before) = (app.stores.contents().await, app.settled().await);
    let count = cases.len();
    for (body, field, code) in cases {
        let answer = fixture.request(Method::POST, "/api/posts").json(&body).answer().await;
        let answer = answer.problem(422, "validation_failed");
        assert_eq!(answer.field_code(field).as_deref(), Some(code), "{}", answer.text());
    }
    let nowhere = with("project_id", json!(uuid::Uuid::now_v7().to_string()));
    fixture.request(Method::POST, "/api/posts").json(&nowhere).answer().await.problem(404, "not_found");
    for id in ["1", "%00", "..", &uuid::Uuid::now_v7().to_string()] {
        fixture.request(Method::GET, &format!("/api/posts/{id}")).answer().await.problem(404, "not_found");
    }
    assert_eq!(app.stores.contents().await, rows);
    let counted = app.settled().await.since(&before, "api_errors_total", &[("route", "/api/posts"), ("status", "422")]);
    assert_eq!(counted, count as f64);
}

#[tokio::test]
async fn without_configured_platforms_a_post_is_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let project = app.project(&ada, "One", "public").await["id"].clone();
    let body = json!({ "project_id": project, "text": "Hello", "platforms": ["mastodon"] });
    let answer = app.as_user(&ada, Method::POST, "/api/posts").json(&body).answer().await.problem(422, "validation_failed");
    assert_eq!(answer.field_code("platforms").as_deref(), Some("not_offered"));
}
