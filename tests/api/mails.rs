//! Mails to owners of accounts: each mail is sent once, and waits while the mail server is unavailable. A refused recipient gets no second
//! attempt. The queue contains no secrets.

use vitrine::metrics::labels::MailTemplate;

use crate::support::app::through;
use crate::support::{Ask, MailServer, Mode, Proxy, Studio, TestApp, eventually, when};

const WAITING: &str = "SELECT count(*) FROM jobs WHERE kind = 'account_mail' AND died_at IS NULL AND last_error IS NOT NULL";

/// Waits until the queue has no job for a mail, neither an open job nor a dead letter.
async fn until_no_job_is_left(app: &TestApp) {
    let none = async || when(app.stores.count("SELECT count(*) FROM jobs WHERE kind = 'account_mail'").await == 0);
    eventually("no job is left", none).await;
}

#[tokio::test]
async fn a_registration_sends_one_mail_with_a_link_to_this_service() {
    let server = MailServer::start().await;
    let app =
        TestApp::with(&[&server.argument(), "--public-url=https://vitrine.example/", "--mail-from=The shop <shop@example.org>"]).await;
    let before = app.settled().await;
    app.register("ada@example.com").await.expect(201);
    let mail = server.next().await;
    assert_eq!(mail.to, "ada@example.com");
    assert!(mail.content.contains("<shop@example.org>"), "{}", mail.content);
    assert!(mail.content.contains("https://vitrine.example/confirm?token="), "{}", mail.content);
    until_no_job_is_left(&app).await;
    assert_eq!(server.count(), 1);
    let after = app.settled().await;
    assert_eq!(after.since(&before, "mails_sent_total", &[("template", "confirmation"), ("outcome", "sent")]), 1.0);
    assert_eq!(after.since(&before, "mails_sent_total", &[]), 1.0);
}

#[tokio::test]
async fn while_the_mail_server_is_unavailable_accounts_work_and_mails_wait() {
    let server = MailServer::start().await;
    let proxy = Proxy::before(&server.url(), Mode::Refuse).await;
    let app = TestApp::with(&[&through("smtp-url", &server.url(), proxy.address)]).await;
    let ada = app.user("ada").await;
    app.me(&ada.token).await.expect(200);
    eventually("the mail waits for its next attempt", async || when(app.stores.count(WAITING).await == 1)).await;
    let in_a_while = "SELECT count(*) FROM jobs WHERE kind = 'account_mail' AND run_at > now() + interval '30 seconds'";
    assert_eq!(app.stores.count(in_a_while).await, 1);
    assert_eq!(app.settled().await.get("mails_sent_total", &[("template", "confirmation"), ("outcome", "failed")]), 1.0);
    assert_eq!(server.count(), 0);

    proxy.set(Mode::Pass).await;
    app.stores.execute("UPDATE jobs SET run_at = now() WHERE kind = 'account_mail'").await;
    assert_eq!(server.next().await.to, ada.email);
    until_no_job_is_left(&app).await;
}

#[tokio::test]
async fn a_mail_server_that_does_not_answer_delays_no_other_job() {
    let server = MailServer::start().await;
    let proxy = Proxy::before(&server.url(), Mode::Hang).await;
    let app = TestApp::with(&[&through("smtp-url", &server.url(), proxy.address), "--job-workers=1"]).await;
    let studio = Studio::open(&app).await;
    let leased = "SELECT count(*) FROM jobs WHERE kind = 'account_mail' AND lease_until IS NOT NULL";
    eventually("the mail is being sent", async || when(app.stores.count(leased).await == 1)).await;
    studio.environment("web").await;
    assert_eq!(app.stores.count(leased).await, 1);
}

#[tokio::test]
async fn a_refused_recipient_is_not_tried_again_and_a_busy_server_is() {
    let server = MailServer::start().await;
    let app = TestApp::with(&[&server.argument()]).await;
    server.answer_recipients(550);
    app.register("nobody@example.com").await.expect(201);
    until_no_job_is_left(&app).await;
    assert_eq!(app.settled().await.get("mails_sent_total", &[("template", "confirmation"), ("outcome", "refused")]), 1.0);

    server.answer_recipients(451);
    app.register("ada@example.com").await.expect(201);
    eventually("the mail waits for its next attempt", async || when(app.stores.count(WAITING).await == 1)).await;
    let reason: String =
        sqlx::query_scalar("SELECT last_error FROM jobs WHERE kind = 'account_mail'").fetch_one(app.stores.pool()).await.unwrap();
    // The response of the server quotes the address, which must not reach the log.
    assert_eq!(reason, "the mail server answered with code 451");
}

#[tokio::test]
async fn neither_the_queue_nor_the_database_contains_the_token_of_a_link() {
    let server = MailServer::start().await;
    let app = TestApp::with(&[&server.argument()]).await;
    app.register("ada@example.com").await.expect(201);
    let token = server.next().await.token("/confirm");
    let rows = app.stores.contents().await;
    assert!(rows.iter().any(|row| row.starts_with("links")), "{rows:?}");
    assert!(!rows.iter().any(|row| row.contains(&token)), "{rows:?}");
}

#[tokio::test]
async fn without_a_mail_server_no_mail_is_written_and_a_request_for_one_is_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    assert_eq!(app.stores.count("SELECT count(*) FROM jobs WHERE kind = 'account_mail'").await, 0);
    app.post("/api/auth/confirmations").bearer_auth(&ada.token).answer().await.problem(409, "mail_off");
    let html = app.get("/studio/accounts").header("cookie", format!("vitrine={}", ada.token)).answer().await.expect(200).text();
    assert!(!html.contains("/api/auth/confirmations"), "{html}");
    let scrape = app.settled().await;
    for template in MailTemplate::MEMBERS {
        assert_eq!(scrape.get("mails_sent_total", &[("template", template.name())]), 0.0);
    }
}
