//! Posting: accepted posts, refused posts, and requests that repeat an idempotency key.

use std::sync::Arc;

use provider_sim::Platform;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, AuthorizationRequest, POSTING, Stage, post};

/// The author of a post: an access token, and the subject of its account, which only `LinkedIn` needs.
struct Author {
    token: String,
    subject: String,
}

impl Stage {
    async fn author(&self, platform: Platform, account: &str) -> Author {
        let tokens = self.sign_in(&AuthorizationRequest::of(platform).set("account", account)).await;
        let subject = if platform == Platform::Linkedin { tokens.id_token().1["sub"].as_str().unwrap().to_owned() } else { String::new() };
        Author { token: tokens.access, subject }
    }

    async fn post(&self, platform: Platform, author: &Author, text: &str, key: Option<&str>) -> Answer {
        let (path, body) = post(platform, &author.subject, text);
        self.post_body(path, author, &body, key).await
    }

    async fn post_body(&self, path: &str, author: &Author, body: &Value, key: Option<&str>) -> Answer {
        let mut request = self.request(Method::POST, path).bearer_auth(&author.token).json(body);
        request = request.header("LinkedIn-Version", "202506").header("X-Restli-Protocol-Version", "2.0.0");
        Answer::of(key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key))).await
    }

    async fn posts(&self, platform: Platform) -> Vec<Value> {
        self.get(&format!("{}/posts", platform.name())).await.json().as_array().unwrap().clone()
    }
}

fn id(platform: Platform, answer: &Answer) -> String {
    match platform {
        Platform::Mastodon => answer.json()["id"].as_str().unwrap().to_owned(),
        Platform::X => answer.json()["data"]["id"].as_str().unwrap().to_owned(),
        _ => answer.header("x-restli-id").strip_prefix("urn:li:share:").unwrap().to_owned(),
    }
}

#[tokio::test]
async fn each_platform_returns_a_post_in_its_own_format_and_lists_it() {
    let stage = Stage::start().await;
    for platform in POSTING {
        let author = stage.author(platform, "ada").await;
        let answer = stage.post(platform, &author, "Hello <world> & all", None).await;
        assert_eq!(answer.status, if platform == Platform::Mastodon { 200 } else { 201 }, "{}", answer.text);
        let listed = stage.posts(platform).await;
        let expected = json!({
            "id": id(platform, &answer), "account": "ada", "text": "Hello <world> & all", "key": null, "at": listed[0]["at"],
        });
        assert_eq!(listed, [expected]);
        match platform {
            Platform::Mastodon => {
                let status = answer.json();
                assert_eq!(status["content"], "<p>Hello &lt;world&gt; &amp; all</p>");
                assert_eq!(status["url"], format!("{}/@ada/{}", stage.issuer(platform), id(platform, &answer)));
                assert_eq!((&status["visibility"], &status["account"]["statuses_count"]), (&json!("public"), &json!(1)));
            }
            Platform::X => assert_eq!(answer.json()["data"]["text"], "Hello <world> & all"),
            _ => assert_eq!(answer.text, ""),
        }
        let counts = stage.counts(platform).await;
        assert_eq!((counts.posts, counts.post_requests, counts.repeated_posts), (1, 1, 0));
    }
}

#[tokio::test]
async fn the_same_key_of_the_same_account_makes_one_post() {
    let stage = Stage::start().await;
    for platform in POSTING {
        let (ada, grace) = (stage.author(platform, "ada").await, stage.author(platform, "grace").await);
        let first = stage.post(platform, &ada, "once", Some("key")).await;
        let again = stage.post(platform, &ada, "once", Some("key")).await;
        assert_eq!((again.status, id(platform, &again)), (first.status, id(platform, &first)));
        for other in [stage.post(platform, &ada, "once", Some("other")).await, stage.post(platform, &grace, "once", Some("key")).await] {
            assert_ne!(id(platform, &other), id(platform, &first));
        }
        assert_eq!(stage.posts(platform).await.len(), 3);
        let counts = stage.counts(platform).await;
        assert_eq!((counts.posts, counts.post_requests, counts.repeated_posts), (3, 4, 1));
    }
}

#[tokio::test]
async fn twenty_requests_at_once_with_one_key_make_one_post() {
    let stage = Arc::new(Stage::start().await);
    let author = Arc::new(stage.author(Platform::X, "ada").await);
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        let (stage, author) = (stage.clone(), author.clone());
        requests.spawn(async move { id(Platform::X, &stage.post(Platform::X, &author, "once", Some("key")).await) });
    }
    let mut ids = requests.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(stage.posts(Platform::X).await.len(), 1);
    let counts = stage.counts(Platform::X).await;
    assert_eq!((counts.posts, counts.post_requests, counts.repeated_posts), (1, 20, 19));
}

#[tokio::test]
async fn posting_requires_a_token_with_the_right_scope() {
    let stage = Stage::start().await;
    for (platform, scope, wanted) in [
        (Platform::Mastodon, "read", "write:statuses"),
        (Platform::X, "tweet.read", "tweet.write"),
        (Platform::Linkedin, "openid", "w_member_social"),
    ] {
        let tokens = stage.sign_in(&AuthorizationRequest::of(platform).set("scope", scope)).await;
        let answer = stage.post(platform, &Author { token: tokens.access, subject: String::new() }, "no", None).await;
        assert_eq!(answer.status, 403);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains(&format!(r#"error="insufficient_scope", scope="{wanted}""#)), "{challenge}");

        let (path, body) = post(platform, "", "no");
        let answer = Answer::of(stage.request(Method::POST, path).json(&body)).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, &*format!(r#"Bearer realm="{}""#, platform.name())));
        assert!(stage.posts(platform).await.is_empty());
        let counts = stage.counts(platform).await;
        assert_eq!((counts.post_requests, counts.refused), (2, 2));
    }
    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::Mastodon).set("scope", "write")).await;
    let author = Author { token: tokens.access, subject: String::new() };
    assert_eq!(stage.post(Platform::Mastodon, &author, "yes", None).await.status, 200);
}

#[tokio::test]
async fn the_length_of_a_text_is_limited() {
    let stage = Stage::start().await;
    for (platform, most, status) in [(Platform::Mastodon, 500, 422), (Platform::X, 280, 400), (Platform::Linkedin, 3000, 422)] {
        let author = stage.author(platform, "ada").await;
        let refused = stage.post(platform, &author, &"é".repeat(most + 1), None).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        match platform {
            Platform::Mastodon => assert!(refused.json()["error"].is_string()),
            Platform::X => {
                assert_eq!(refused.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["detail", "status", "title", "type"]);
            }
            _ => assert_eq!(refused.json()["status"], 422),
        }
        assert!(stage.posts(platform).await.is_empty());
        assert!(stage.post(platform, &author, &"é".repeat(most), None).await.status < 300);
    }
}

#[tokio::test]
async fn an_invalid_body_is_refused_and_creates_no_post() {
    let stage = Stage::start().await;
    for platform in POSTING {
        let author = stage.author(platform, "ada").await;
        let (path, body) = post(platform, &author.subject, "text");
        for wrong in [json!(null), json!([]), json!("text"), json!(["text"]), json!({ "status": 1, "text": 1, "commentary": 1 }), json!({})]
        {
            let answer = stage.post_body(path, &author, &wrong, None).await;
            assert!([400, 422].contains(&answer.status), "{}: {wrong}: {}", platform.name(), answer.text);
        }
        let form = stage.request(Method::POST, path).bearer_auth(&author.token).header("LinkedIn-Version", "202506");
        assert_eq!(Answer::of(form.header("X-Restli-Protocol-Version", "2.0.0").body(body.to_string())).await.status, 415);
        assert!(stage.posts(platform).await.is_empty());
    }
}

#[tokio::test]
async fn linkedin_requires_version_headers_and_the_account_as_author() {
    let stage = Stage::start().await;
    let author = stage.author(Platform::Linkedin, "ada").await;
    let (path, body) = post(Platform::Linkedin, &author.subject, "text");
    let with = async |version: Option<&str>, protocol: Option<&str>| {
        let mut request = stage.request(Method::POST, path).bearer_auth(&author.token).json(&body);
        for (name, value) in [("LinkedIn-Version", version), ("X-Restli-Protocol-Version", protocol)] {
            request = value.into_iter().fold(request, |request, value| request.header(name, value));
        }
        Answer::of(request).await.status
    };
    assert_eq!(with(None, Some("2.0.0")).await, 400);
    assert_eq!(with(Some("June"), Some("2.0.0")).await, 426);
    assert_eq!(with(Some("202506"), None).await, 400);
    let reader = stage.sign_in(&AuthorizationRequest::of(Platform::Linkedin)).await;
    let followers = stage.request(Method::GET, "linkedin/rest/memberFollowersCount?q=me").bearer_auth(&reader.access);
    assert_eq!(Answer::of(followers).await.status, 400);
    let somebody_else = post(Platform::Linkedin, "1", "text").1;
    assert_eq!(stage.post_body(path, &author, &somebody_else, None).await.status, 403);
    for (field, value) in [("visibility", "EVERYBODY"), ("lifecycleState", "DRAFT")] {
        let mut wrong = body.clone();
        wrong[field] = json!(value);
        assert_eq!(stage.post_body(path, &author, &wrong, None).await.status, 422);
    }
    assert!(stage.posts(Platform::Linkedin).await.is_empty());
    assert_eq!(with(Some("202506"), Some("2.0.0")).await, 201);
}
