//! Insights: figures of a linked account. They are read through the platform's API, cached for a while, and visible only to the user who
//! linked the account.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::{Ask, Browser, FakePlatform, Platforms, PostFixture, TestApp, eventually, when};

const ALL: [&str; 3] = ["mastodon", "linkedin", "x"];
/// Time limit for a response when a platform is unavailable: above the 4 s that the service allows for all calls of a request.
const PROMISE: Duration = Duration::from_secs(5);

/// Labels of the calls that read figures from a platform.
fn calls(platform: &'static str) -> [(&'static str, &'static str); 2] {
    [("platform", platform), ("endpoint", "insights")]
}

#[tokio::test]
async fn figures_come_from_the_platform_and_are_cached_for_a_while() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &ALL).await;
    let id = fixture.post("Hello", &ALL).await;
    for platform in ALL {
        fixture.until(&id, platform, "delivered").await;
        let before = app.settled().await;
        let figures = fixture.insights(platform).await.expect(200).json();
        assert_eq!((&figures["platform"], figures["followers"].is_u64()), (&json!(platform), true), "{figures}");
        assert!(!figures["handle"].as_str().unwrap().is_empty(), "{figures}");
        assert_eq!(figures["posts"], if platform == "linkedin" { Value::Null } else { json!(1) });
        let as_of = OffsetDateTime::parse(figures["as_of"].as_str().unwrap(), &Rfc3339).unwrap();
        assert!((OffsetDateTime::now_utc() - as_of).abs() < time::Duration::minutes(1));
        // A repeated request, also to another replica, needs no call to the platform: it succeeds although the platform is down.
        platforms.turn(platform, json!({ "outage": "refuse" })).await;
        assert_eq!(fixture.insights(platform).await.expect(200).json(), figures);
        let after = app.settled().await;
        assert_eq!(after.since(&before, "social_api_calls_total", &calls(platform)), 1.0);
        assert_eq!(after.since(&before, "cache_hits_total", &[("cache_type", "insights")]), 1.0);
        assert_eq!(after.since(&before, "cache_misses_total", &[("cache_type", "insights")]), 1.0);
        let arguments = platforms.arguments();
        let other = TestApp::on(&app.stores, &[&arguments[0], &arguments[1]]).await;
        let ask = || other.as_user(&fixture.author, Method::GET, &format!("/api/insights/{platform}"));
        // A new replica uses the cache once it has read the invalidations.
        eventually("the other replica uses the cache", async || when(ask().answer().await.status == 200)).await;
        assert_eq!(ask().answer().await.expect(200).json(), figures);
    }
}

#[tokio::test]
async fn figures_belong_to_the_account_that_is_linked() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["x"]).await;
    let adas = fixture.insights("x").await.expect(200).json();
    assert_eq!(adas["handle"], "ada");
    let eve = app.user("eve").await;
    app.as_user(&eve, Method::GET, "/api/insights/x").answer().await.problem(409, "not_linked");
    fixture.unlink("x").await;
    let answer = fixture.insights("x").await.problem(409, "not_linked");
    assert_eq!(answer.json()["detail"], "no x account is linked");
    Browser::of(&fixture.author.token).visit(&app, "x", "grace").await.expect(303);
    assert_eq!(fixture.insights("x").await.expect(200).json()["handle"], "grace");
}

#[tokio::test]
async fn an_unavailable_platform_is_reported_within_the_time_limit() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon"]).await;
    for (outage, status) in [("refuse", "unreachable"), ("error", "failed"), ("hang", "timeout")] {
        platforms.turn("mastodon", json!({ "outage": outage })).await;
        let before = app.settled().await;
        let begun = Instant::now();
        let answer = fixture.insights("mastodon").await.problem(503, "platform_unavailable");
        assert!(begun.elapsed() < PROMISE, "{outage}: {:?}", begun.elapsed());
        assert_eq!(answer.header("retry-after"), "5");
        let labels = [&calls("mastodon")[..], &[("status", status)]].concat();
        assert_eq!(app.settled().await.since(&before, "social_api_calls_total", &labels), 1.0, "{outage}");
    }
    // Failures are not cached.
    platforms.turn("mastodon", json!({})).await;
    fixture.insights("mastodon").await.expect(200);
}

#[tokio::test]
async fn at_the_rate_limit_of_a_platform_the_response_says_when_to_retry() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &ALL).await;
    for platform in ALL {
        platforms.turn(platform, json!({ "rate_limit": { "requests": 0, "per_s": 77 } })).await;
        let answer = fixture.insights(platform).await.problem(503, "platform_unavailable");
        assert_eq!(answer.header("retry-after"), "77");
    }
}

#[tokio::test]
async fn a_rejected_token_is_refreshed_or_the_account_must_be_linked_again() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["x", "mastodon"]).await;
    platforms.revoke(&app, "x", "access").await;
    fixture.insights("x").await.expect(200);
    platforms.revoke(&app, "mastodon", "refresh").await;
    for _ in 0..2 {
        let answer = fixture.insights("mastodon").await.problem(409, "link_expired");
        assert_eq!(answer.json()["detail"], "the mastodon account must be linked again");
    }
}

#[tokio::test]
async fn platforms_without_posts_have_no_figures() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &[]).await;
    for platform in ["github", "google", "gitlab", "facebook", "Mastodon", "%00", "x%2f"] {
        fixture.insights(platform).await.problem(404, "not_found");
    }
    let bare = TestApp::start().await;
    let ada = bare.user("ada").await;
    bare.as_user(&ada, Method::GET, "/api/insights/mastodon").answer().await.problem(404, "not_found");
}

#[tokio::test]
async fn invalid_figures_are_rejected() {
    let platforms = Platforms::start().await;
    let fake = FakePlatform::instead_of(&platforms).await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &ALL).await;
    // The fake account has invalid numbers: "many" followers and -1 posts.
    fixture.insights("mastodon").await.problem(503, "platform_unavailable");
    let bodies = [
        json!({}),
        json!({ "data": { "public_metrics": { "followers_count": -1, "tweet_count": 1 } } }),
        json!({ "data": { "public_metrics": { "followers_count": 1.5, "tweet_count": 1 } } }),
        json!({ "elements": [] }),
        json!({ "elements": [{ "memberFollowersCount": "1" }] }),
    ];
    for body in bodies {
        fake.respond(move || axum::Json(body.clone()));
        for platform in ["x", "linkedin"] {
            fixture.insights(platform).await.problem(503, "platform_unavailable");
        }
    }
    fake.respond(|| vec![b' '; 2 << 20]);
    fixture.insights("x").await.problem(503, "platform_unavailable");
    assert_eq!(app.settled().await.get("uncaught_exceptions_total", &[]), 0.0);
}
