//! Deliveries: each post appears once on each platform, from its author's linked account, with its text unchanged and a link to the
//! project. Without a usable account or a published project, nothing is posted.

use axum::http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::post_fixture::LINK;
use crate::support::{Ask, Browser, FakePlatform, Platforms, PostFixture, eventually, when};

const ALL: [&str; 3] = ["mastodon", "linkedin", "x"];

#[tokio::test]
async fn a_post_arrives_once_on_each_platform_as_it_was_written() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &ALL).await;
    let text = "Zwölf 🦀 日本\r\n\r\n\"quoted\" \\back\\ (a) [b] {c} <i>d</i> @e #f *g* _h_ ~i~ |j| &amp; 100%\n\t\u{202e}rtl\u{200d}";
    let before = app.settled().await;
    let id = fixture.post(text, &ALL).await;
    for platform in ALL {
        let delivery = fixture.until(&id, platform, "delivered").await;
        let posts = platforms.posts(platform).await;
        assert_eq!(posts.len(), 1);
        assert_eq!(posts[0]["text"], json!(format!("{text}\n\n{LINK}")), "{platform}");
        assert_eq!(posts[0]["account"], "ada");
        assert_eq!((&delivery["attempts"], &delivery["last_error"]), (&json!(1), &Value::Null));
        let (made, url) = (posts[0]["id"].as_str().unwrap(), delivery["url"].as_str().unwrap());
        let (remote, shown) = match platform {
            "mastodon" => (made.to_owned(), platforms.simulator.url(&format!("mastodon/@ada/{made}"))),
            "x" => (made.to_owned(), format!("https://x.com/i/web/status/{made}")),
            _ => (format!("urn:li:share:{made}"), format!("https://www.linkedin.com/feed/update/urn:li:share:{made}/")),
        };
        assert_eq!(delivery["remote_id"], json!(remote));
        assert!(url.ends_with(&shown[shown.rfind("/@").unwrap_or_default()..]), "{url} {shown}");
        for name in ["updated_at", "delivered_at"] {
            OffsetDateTime::parse(delivery[name].as_str().unwrap(), &Rfc3339).unwrap();
        }
    }
    let done = [("kind", "post_delivery"), ("outcome", "success")];
    eventually("the jobs are counted", async || when(app.scrape().await.since(&before, "jobs_total", &done) == 3.0)).await;
    let after = app.settled().await;
    for platform in ALL {
        let labels = [("platform", platform), ("endpoint", "post")];
        assert_eq!(after.since(&before, "social_api_calls_total", &[&labels[..], &[("status", "success")]].concat()), 1.0);
        assert_eq!(after.since(&before, "social_api_calls_total", &labels), 1.0);
        assert_eq!(after.since(&before, "social_api_duration_seconds_count", &labels), 1.0);
    }
    assert_eq!(app.stores.count("SELECT count(*) FROM jobs WHERE kind = 'post_delivery'").await, 0);
}

#[tokio::test]
async fn a_token_that_expires_is_refreshed_before_it_is_used() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    platforms.turn("x", json!({ "token_s": 1 })).await;
    let fixture = PostFixture::open(&app, &["x"]).await;
    platforms.turn("x", json!({})).await;
    let id = fixture.post("Hello", &["x"]).await;
    assert_eq!(fixture.until(&id, "x", "delivered").await["attempts"], 1);
    assert_eq!((platforms.count("x", "refreshes").await, platforms.count("x", "refused").await), (1, 0));
}

#[tokio::test]
async fn a_token_that_expires_soon_after_every_refresh_is_still_used() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    platforms.turn("x", json!({ "token_s": 20 })).await;
    let fixture = PostFixture::open(&app, &["x"]).await;
    for n in 1..=2 {
        let id = fixture.post(&format!("Number {n}"), &["x"]).await;
        assert_eq!(fixture.until(&id, "x", "delivered").await["attempts"], 1);
        assert_eq!(platforms.count("x", "refreshes").await, n);
    }
}

#[tokio::test]
async fn a_rejected_token_is_refreshed_once() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &ALL).await;
    for platform in ALL {
        platforms.revoke(&app, platform, "access").await;
    }
    let id = fixture.post("Hello", &ALL).await;
    for platform in ALL {
        assert_eq!(fixture.until(&id, platform, "delivered").await["attempts"], 1);
        assert_eq!((platforms.count(platform, "refreshes").await, platforms.count(platform, "refused").await), (1, 1));
    }
}

#[tokio::test]
async fn after_a_revocation_at_the_platform_deliveries_fail_until_the_account_is_linked_again() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon"]).await;
    platforms.revoke(&app, "mastodon", "refresh").await;
    let before = app.settled().await;
    let id = fixture.post("Hello", &["mastodon"]).await;
    let delivery = fixture.until(&id, "mastodon", "failed").await;
    assert_eq!((&delivery["attempts"], &delivery["last_error"]), (&json!(1), &json!("the account must be linked again")));
    assert_eq!((&delivery["remote_id"], &delivery["delivered_at"]), (&Value::Null, &Value::Null));
    let dead = [("kind", "post_delivery"), ("outcome", "dead")];
    eventually("the job is counted", async || when(app.scrape().await.since(&before, "jobs_total", &dead) == 1.0)).await;
    assert_eq!(Browser::of(&fixture.author.token).account(&app, "mastodon").await["status"], "expired");
    fixture.write("Hello again", &["mastodon"]).await.problem(409, "link_expired");
    fixture.link("mastodon").await;
    let id = fixture.post("Hello again", &["mastodon"]).await;
    fixture.until(&id, "mastodon", "delivered").await;
}

#[tokio::test]
async fn an_account_whose_renewed_token_is_rejected_must_be_linked_again() {
    let platforms = Platforms::start().await;
    let fake = FakePlatform::instead_of(&platforms).await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["x"]).await;
    fake.respond(|| StatusCode::UNAUTHORIZED);
    let id = fixture.post("Hello", &["x"]).await;
    assert_eq!(fixture.until(&id, "x", "failed").await["last_error"], "the account must be linked again");
    assert_eq!(platforms.count("x", "refreshes").await, 1);
    assert_eq!(Browser::of(&fixture.author.token).account(&app, "x").await["status"], "expired");
    fixture.write("Hello again", &["x"]).await.problem(409, "link_expired");
}

#[tokio::test]
async fn an_account_that_is_unlinked_before_the_delivery_receives_nothing() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon", "x"]).await;
    platforms.turn("mastodon", json!({ "outage": "error" })).await;
    let id = fixture.post("Hello", &["mastodon", "x"]).await;
    fixture.until(&id, "mastodon", "pending").await;
    fixture.unlink("mastodon").await;
    platforms.turn("mastodon", json!({})).await;
    let delivery = fixture.until_hurried(&id, "mastodon", "failed").await;
    assert_eq!(delivery["last_error"], "no account is linked");
    fixture.until(&id, "x", "delivered").await;
    assert_eq!(platforms.count("mastodon", "posts").await, 0);
}

#[tokio::test]
async fn a_project_that_is_not_published_any_more_is_not_announced() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon"]).await;
    platforms.turn("mastodon", json!({ "outage": "error" })).await;
    let id = fixture.post("Hello", &["mastodon"]).await;
    fixture.until(&id, "mastodon", "pending").await;
    app.stores.execute("UPDATE projects SET visibility = 'private'").await;
    platforms.turn("mastodon", json!({})).await;
    let delivery = fixture.until_hurried(&id, "mastodon", "failed").await;
    assert_eq!(delivery["last_error"], "the project is no longer published");
    assert_eq!(platforms.count("mastodon", "posts").await, 0);
}

#[tokio::test]
async fn deleting_a_project_deletes_its_posts() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon"]).await;
    platforms.turn("mastodon", json!({ "outage": "error" })).await;
    let id = fixture.post("Hello", &["mastodon"]).await;
    fixture.until(&id, "mastodon", "pending").await;
    fixture.request(Method::DELETE, &format!("/api/projects/{}", fixture.project)).answer().await.expect(204);
    fixture.request(Method::GET, &format!("/api/posts/{id}")).answer().await.problem(404, "not_found");
    platforms.turn("mastodon", json!({})).await;
    eventually("no job is left", async || {
        fixture.hurry().await;
        when(app.stores.count("SELECT count(*) FROM jobs WHERE kind = 'post_delivery'").await == 0)
    })
    .await;
    assert_eq!(app.stores.count("SELECT count(*) FROM post_deliveries").await, 0);
    assert_eq!(platforms.count("mastodon", "posts").await, 0);
}
