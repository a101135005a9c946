//! Deliveries while platforms are busy, are down or send unexpected responses, and while replicas die. Every delivery reaches one final
//! status, and no post appears twice on a platform that recognises idempotency keys.

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use serde_json::{Value, json};

use crate::support::platforms::TOKEN_KEY;
use crate::support::program::Program;
use crate::support::{FakePlatform, Platforms, PostFixture, TestApp, eventually, when};

const ALL: [&str; 3] = ["mastodon", "linkedin", "x"];

#[tokio::test]
async fn a_delivery_is_retried_when_the_platforms_rate_limit_allows() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon", "x"]).await;
    platforms.turn("mastodon", json!({ "rate_limit": { "requests": 0, "per_s": 2 } })).await;
    let id = fixture.post("Hello", &["mastodon", "x"]).await;
    // The other platform's delivery is not delayed.
    fixture.until(&id, "x", "delivered").await;
    let waiting = fixture.until(&id, "mastodon", "pending").await;
    assert_eq!(waiting["last_error"], "the platform's rate limit is exceeded");
    platforms.turn("mastodon", json!({})).await;
    let later = "SELECT count(*) FROM jobs j, post_deliveries d
                 WHERE d.platform = 'mastodon' AND j.kind = 'post_delivery' AND j.run_at < d.updated_at + interval '2 seconds'";
    assert_eq!(app.stores.count(later).await, 0);
    let delivery = fixture.until(&id, "mastodon", "delivered").await;
    assert!(delivery["attempts"].as_i64().unwrap() >= 2, "{delivery}");
    assert_eq!(delivery["last_error"], Value::Null);
    assert_eq!(platforms.count("mastodon", "posts").await, 1);
}

#[tokio::test]
async fn a_platform_that_stays_down_is_tried_five_times_and_then_the_delivery_fails() {
    for (outage, status, reason) in
        [("refuse", "unreachable", "the platform cannot be reached"), ("error", "failed", "the platform failed with status 503")]
    {
        let platforms = Platforms::start().await;
        let app = platforms.app().await;
        let fixture = PostFixture::open(&app, &ALL).await;
        platforms.turn("linkedin", json!({ "outage": outage })).await;
        let before = app.settled().await;
        let id = fixture.post("Hello", &ALL).await;
        for platform in ["mastodon", "x"] {
            fixture.until(&id, platform, "delivered").await;
        }
        let delivery = fixture.until_hurried(&id, "linkedin", "failed").await;
        assert_eq!(delivery["attempts"], 5);
        assert!(delivery["last_error"].as_str().unwrap().starts_with(reason), "{delivery}");
        let jobs = |outcome| [("kind", "post_delivery"), ("outcome", outcome)];
        eventually("the dead letter is counted", async || when(app.scrape().await.since(&before, "jobs_total", &jobs("dead")) == 1.0))
            .await;
        let after = app.settled().await;
        assert_eq!(after.since(&before, "jobs_total", &jobs("retry")), 4.0);
        let calls = [("platform", "linkedin"), ("endpoint", "post"), ("status", status)];
        assert_eq!(after.since(&before, "social_api_calls_total", &calls), 5.0);
        // The delivery remains failed when the platform is up again.
        platforms.turn("linkedin", json!({})).await;
        assert_eq!(fixture.delivery(&id, "linkedin").await, delivery);
        assert_eq!(platforms.count("linkedin", "posts").await, 0);
    }
}

#[tokio::test]
async fn a_refused_delivery_is_not_retried() {
    let platforms = Platforms::start().await;
    platforms.rewrite(|text| text.replace(" \"tweet.write\",", ""));
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["x"]).await;
    let id = fixture.post("Hello", &["x"]).await;
    let delivery = fixture.until(&id, "x", "failed").await;
    assert_eq!(delivery["attempts"], 1);
    let reason = delivery["last_error"].as_str().unwrap();
    assert!(reason.starts_with("the platform refused: status 403: ") && reason.len() > 40, "{reason}");
    assert_eq!(platforms.count("x", "post_requests").await, 1);
}

#[tokio::test]
async fn the_reason_of_an_earlier_attempt_is_kept_when_later_attempts_are_aborted() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &["mastodon"]).await;
    platforms.turn("mastodon", json!({ "outage": "error" })).await;
    let id = fixture.post("Hello", &["mastodon"]).await;
    fixture.until(&id, "mastodon", "pending").await;
    // Changes the job as if the replicas of all later attempts had died.
    let died = "UPDATE jobs SET attempts = 5, run_at = now(), lease_id = gen_random_uuid(), lease_until = now()
                WHERE kind = 'post_delivery' AND lease_id IS NULL";
    eventually("no attempt is running", async || when(app.stores.execute(died).await == 1)).await;
    let delivery = fixture.until(&id, "mastodon", "failed").await;
    assert_eq!((&delivery["attempts"], &delivery["last_error"]), (&json!(5), &json!("the platform failed with status 503")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_is_killed_during_deliveries_loses_and_duplicates_none() {
    let platforms = Platforms::start().await;
    let [file, keys] = platforms.arguments();
    // The survivor runs only one job at a time, so that the victim runs most of the jobs when it is killed.
    let survivor = TestApp::with(&[&file, &keys, "--job-workers=1"]).await;
    let fixture = PostFixture::open(&survivor, &["mastodon", "x"]).await;
    let path = file.strip_prefix("--platforms-file=").unwrap();
    let mut victim = Program::serve(&survivor.stores, &[("PLATFORMS_FILE", path), ("TOKEN_KEYS", TOKEN_KEY), ("JOB_WORKERS", "20")]).await;
    // The platform creates the post before the delay, so the replica dies without knowing the result.
    for platform in ["mastodon", "x"] {
        platforms.turn(platform, json!({ "latency_ms": 8000 })).await;
    }
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(fixture.post(&format!("Number {n}"), &["mastodon", "x"]).await);
    }
    let busy = "SELECT count(*) FROM jobs WHERE lease_id IS NOT NULL AND kind = 'post_delivery'";
    eventually("deliveries are running", async || {
        let made = platforms.count("mastodon", "posts").await + platforms.count("x", "posts").await;
        when(survivor.stores.count(busy).await >= 15 && made >= 10)
    })
    .await;
    victim.signal("KILL");
    victim.end().await;
    for platform in ["mastodon", "x"] {
        platforms.turn(platform, json!({})).await;
    }
    for id in &ids {
        for platform in ["mastodon", "x"] {
            let delivery = fixture.until(id, platform, "delivered").await;
            assert!(delivery["attempts"].as_i64().unwrap() <= 2, "{delivery}");
        }
    }
    let mut repeated = 0;
    for platform in ["mastodon", "x"] {
        let mut texts: Vec<_> = platforms.posts(platform).await.iter().map(|post| post["text"].as_str().unwrap().to_owned()).collect();
        texts.sort();
        texts.dedup();
        assert_eq!((texts.len(), platforms.count(platform, "posts").await), (10, 10));
        repeated += platforms.count(platform, "repeated_posts").await;
    }
    assert!(repeated >= 5, "only {repeated} deliveries were running when the replica died");
    assert_eq!(survivor.stores.count("SELECT count(*) FROM jobs WHERE kind = 'post_delivery'").await, 0);
    assert_eq!(survivor.stores.count("SELECT count(*) FROM post_deliveries WHERE status = 'delivered'").await, 20);
}

#[tokio::test]
async fn an_unexpected_platform_response_ends_an_attempt_without_a_panic() {
    const NOT_UNDERSTOOD: &str = "the platform sent an unexpected response";
    let platforms = Platforms::start().await;
    let fake = FakePlatform::instead_of(&platforms).await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &ALL).await;
    let assert_delivery = async |platform: &str, status: &str, reason: &str| {
        let id = fixture.post("Hello", &[platform]).await;
        let delivery = fixture.until(&id, platform, status).await;
        assert_eq!(delivery["last_error"], json!(reason), "{platform}");
        assert_eq!((&delivery["remote_id"], &delivery["url"]), (&Value::Null, &Value::Null));
        app.stores.execute("DELETE FROM posts").await;
    };
    let long = "9".repeat(201);
    let bodies = [
        ("mastodon", json!({})),
        ("mastodon", json!([])),
        ("mastodon", json!({ "id": 1, "url": null })),
        ("mastodon", json!({ "id": "", "url": null })),
        ("mastodon", json!({ "id": "a\u{0}b", "url": null })),
        ("mastodon", json!({ "id": long, "url": null })),
        ("mastodon", json!({ "id": "1", "url": "javascript:alert(1)" })),
        ("mastodon", json!({ "id": "1", "url": "nowhere" })),
        ("mastodon", json!({ "id": "1", "url": format!("https://a.b/{long}") })),
        ("x", json!({ "id": "1" })),
        ("x", json!({ "data": { "id": "" } })),
        ("x", json!({ "data": { "id": "../../evil" } })),
        ("x", json!({ "data": { "id": "1?q=" } })),
        ("x", json!({ "data": { "id": long } })),
        // LinkedIn sends the identifier in a header, which is missing here.
        ("linkedin", json!({ "id": "urn:li:share:1" })),
    ];
    for (platform, body) in bodies {
        fake.respond(move || axum::Json(body.clone()));
        assert_delivery(platform, "pending", NOT_UNDERSTOOD).await;
    }
    for urn in ["", "1", "urn:li:share:1/../evil", "urn:li:\u{e9}", "urn:li:share:1 2"] {
        let urn = urn.to_owned();
        fake.respond(move || [("x-restli-id", urn.clone().into_bytes())]);
        assert_delivery("linkedin", "pending", NOT_UNDERSTOOD).await;
    }
    for platform in ALL {
        fake.respond(|| "<html>\0 It works!");
        assert_delivery(platform, "pending", NOT_UNDERSTOOD).await;
        fake.respond(|| vec![b'['; 2 << 20]);
        assert_delivery(platform, "pending", "the platform's response is too long").await;
        let trap = fake.trap();
        fake.respond(move || (StatusCode::FOUND, [(LOCATION, trap.clone())]));
        assert_delivery(platform, "failed", "the platform refused: status 302").await;
        fake.respond(|| (StatusCode::NOT_FOUND, "<html>nothing"));
        assert_delivery(platform, "failed", "the platform refused: status 404").await;
        let detail = format!("No\u{0}\u{1b}[31m\r\n{}", "!".repeat(5000));
        fake.respond(move || (StatusCode::FORBIDDEN, axum::Json(json!({ "detail": detail }))));
        assert_delivery(platform, "failed", &format!("the platform refused: status 403: No[31m{}", "!".repeat(194))).await;
        fake.respond(|| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "99999999999999999999")]));
        assert_delivery(platform, "pending", "the platform's rate limit is exceeded").await;
    }
    assert_eq!(app.settled().await.get("uncaught_exceptions_total", &[]), 0.0);
}

#[tokio::test]
async fn a_retry_waits_until_the_rate_limit_of_x_or_mastodon_resets() {
    let platforms = Platforms::start().await;
    let fake = FakePlatform::instead_of(&platforms).await;
    let app = platforms.app().await;
    let fixture = PostFixture::open(&app, &ALL).await;
    let in_five_minutes = time::OffsetDateTime::now_utc() + time::Duration::minutes(5);
    let reset_at = in_five_minutes.format(&time::format_description::well_known::Rfc3339).unwrap();
    fake.respond(move || (StatusCode::TOO_MANY_REQUESTS, [("x-ratelimit-reset", reset_at.clone())]));
    let id = fixture.post("Hello", &["mastodon"]).await;
    fixture.until(&id, "mastodon", "pending").await;
    let reset_at = in_five_minutes.unix_timestamp().to_string();
    fake.respond(move || (StatusCode::TOO_MANY_REQUESTS, [("x-rate-limit-reset", reset_at.clone())]));
    let id = fixture.post("Hello", &["x"]).await;
    fixture.until(&id, "x", "pending").await;
    // LinkedIn sends no reset time, so its delivery waits for the default delay.
    fake.respond(|| StatusCode::TOO_MANY_REQUESTS);
    let id = fixture.post("Hello", &["linkedin"]).await;
    fixture.until(&id, "linkedin", "pending").await;
    let waits: Vec<f64> =
        sqlx::query_scalar("SELECT extract(epoch FROM run_at - now())::float8 FROM jobs WHERE kind = 'post_delivery' ORDER BY id")
            .fetch_all(app.stores.pool())
            .await
            .unwrap();
    assert!(waits.len() == 3 && waits.iter().all(|wait| (30.0..320.0).contains(wait)), "{waits:?}");
    assert!(waits[..2].iter().all(|wait| *wait > 200.0), "{waits:?}");
}
