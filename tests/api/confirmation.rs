//! Confirmation of an account's address: the link works once and only for its account. An account works even before the
//! confirmation.

use serde_json::json;

use crate::support::{Answer, Ask, MailServer, Stores, TestApp, User, eventually, when};

async fn redeem(app: &TestApp, token: &str) -> Answer {
    app.post("/api/auth/confirmations/redeem").json(&json!({ "token": token })).answer().await
}

async fn is_confirmed(app: &TestApp, user: &User) -> bool {
    app.me(&user.token).await.expect(200).json()["email_confirmed"].as_bool().unwrap()
}

#[tokio::test]
async fn a_link_confirms_its_account_once_on_every_replica() {
    let (server, stores) = (MailServer::start().await, Stores::new().await);
    let (one, two) = (TestApp::on(&stores, &[&server.argument()]).await, TestApp::on(&stores, &[&server.argument()]).await);
    let (ada, bob) = (one.user("ada").await, one.user("bob").await);
    let mails = [server.next().await, server.next().await];
    let mail = mails.iter().find(|mail| mail.to == ada.email).unwrap();
    // Both replicas may now answer from the cache.
    assert!(!is_confirmed(&one, &ada).await && !is_confirmed(&two, &ada).await);
    let project = one.project(&ada, "Before the confirmation", "public").await;
    assert_eq!(project["role"], "owner");

    let token = mail.token("/confirm");
    redeem(&two, &token).await.expect(204);
    assert!(is_confirmed(&one, &ada).await && is_confirmed(&two, &ada).await);
    assert!(!is_confirmed(&one, &bob).await);
    redeem(&one, &token).await.problem(400, "invalid_link");
    let scrape = two.settled().await;
    assert_eq!(scrape.get("auth_events_total", &[("event", "confirmation"), ("status", "success")]), 1.0);
}

#[tokio::test]
async fn the_first_use_of_a_link_ends_the_links_of_all_other_mails() {
    let server = MailServer::start().await;
    let app = TestApp::with(&[&server.argument()]).await;
    let ada = app.user("ada").await;
    app.post("/api/auth/confirmations").bearer_auth(&ada.token).answer().await.expect(202);
    let (first, second) = (server.next().await.token("/confirm"), server.next().await.token("/confirm"));
    assert_ne!(first, second);
    redeem(&app, &second).await.expect(204);
    redeem(&app, &first).await.problem(400, "invalid_link");
    // A confirmed account gets no further mail.
    app.post("/api/auth/confirmations").bearer_auth(&ada.token).answer().await.expect(202);
    let jobs = "SELECT count(*) FROM jobs WHERE kind = 'account_mail'";
    eventually("the job has ended", async || when(app.stores.count(jobs).await == 0)).await;
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn expired_guessed_and_malformed_links_are_refused() {
    let server = MailServer::start().await;
    let app = TestApp::with(&[&server.argument()]).await;
    let ada = app.user("ada").await;
    let token = server.next().await.token("/confirm");
    app.stores.execute("UPDATE account_links SET expires_at = now() - interval '1 second'").await;
    let before = app.settled().await;
    for token in [token.as_str(), "guessed", &"A".repeat(43), &format!("{token} "), &token[1..]] {
        redeem(&app, token).await.problem(400, "invalid_link");
    }
    for token in ["", &"A".repeat(101), "a\u{0}b"] {
        assert!(redeem(&app, token).await.problem(422, "validation_failed").field_code("token").is_some());
    }
    assert!(!is_confirmed(&app, &ada).await);
    let after = app.settled().await;
    assert_eq!(after.since(&before, "auth_events_total", &[("event", "confirmation"), ("status", "failure")]), 5.0);
}

#[tokio::test]
async fn guesses_and_requests_for_mails_are_limited() {
    let server = MailServer::start().await;
    let app = TestApp::with(&[&server.argument(), "--login-attempts-per-address=2", "--mails-per-hour=3"]).await;
    let ada = app.user("ada").await;
    for _ in 0..2 {
        redeem(&app, "guessed").await.problem(400, "invalid_link");
        app.post("/api/auth/confirmations").bearer_auth(&ada.token).answer().await.expect(202);
    }
    redeem(&app, "guessed").await.problem(429, "too_many_attempts");
    app.post("/api/auth/confirmations").bearer_auth(&ada.token).answer().await.problem(429, "too_many_attempts");
    let scrape = app.settled().await;
    assert_eq!(scrape.get("auth_events_total", &[("event", "confirmation"), ("status", "throttled")]), 1.0);
    assert_eq!(scrape.get("auth_events_total", &[("event", "confirmation_request"), ("status", "throttled")]), 1.0);
    assert_eq!(scrape.get("rate_limited_total", &[("limiter", "mail_account")]), 1.0);
}

#[tokio::test]
async fn the_page_of_a_link_changes_nothing_and_its_form_confirms() {
    let server = MailServer::start().await;
    let app = TestApp::with(&[&server.argument()]).await;
    let ada = app.user("ada").await;
    let token = server.next().await.token("/confirm");
    let html = app.get(&format!("/confirm?token={token}")).answer().await.expect(200).text();
    assert!(html.contains(&format!("name=\"token\" value=\"{token}\"")) && html.contains("/api/auth/confirmations/redeem"), "{html}");
    assert!(!is_confirmed(&app, &ada).await);
    let html = app.get("/confirm?token=%22%3E%3Cscript%3E").answer().await.expect(200).text();
    assert!(!html.contains("<script>"), "{html}");
}
