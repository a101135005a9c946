//! Postgres with TLS: every connection checks the certificate, and each mistake is named where operators look.

use std::time::Instant;

use url::Url;

use crate::support::app::through;
use crate::support::certificates::Authority;
use crate::support::program::Program;
use crate::support::servers::{OwnPostgres, TextFile};
use crate::support::{Mode, Proxy, Stores, TestApp, eventually, when};

/// The URL of a database with TLS, and with this authority.
fn with_tls(url: &Url, mode: &str, authority: &TextFile) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("sslmode", mode).append_pair("sslrootcert", &authority.path().display().to_string());
    url
}

#[tokio::test]
async fn every_connection_to_postgres_uses_tls_and_each_mistake_is_named() {
    let (postgres, stores) = (OwnPostgres::start(), Stores::new().await);
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let proxy = Proxy::before(&postgres.url(), Mode::Pass).await;
    let name = proxy.address.ip().to_string();
    let (ours, theirs) = (TextFile::with(&authority.pem()), TextFile::with(&other.pem()));
    let secret = postgres.url().password().unwrap().to_owned();
    let launch = |url: &Url| TestApp::launch(&stores, &[&through("database-url", url, proxy.address)], None);
    let refused = async |url: &Url, reason: &str| launch(url).until_refused("postgres", reason, &secret).await;
    let (full, wrong) = (with_tls(&postgres.url(), "verify-full", &ours), with_tls(&postgres.url(), "verify-full", &theirs));

    refused(&full, "Postgres does not answer in TLS: check that the port in DATABASE_URL expects TLS").await;
    postgres.certify(&authority.certify(&[&name])).await;
    postgres.require_tls().await;
    let mut plain = postgres.url();
    plain.set_query(Some("sslmode=disable"));
    refused(&plain, "Postgres accepts only TLS: check sslmode in DATABASE_URL").await;
    refused(&wrong, "the certificate of Postgres is signed by an authority that is not trusted: check sslrootcert in DATABASE_URL").await;
    postgres.certify(&authority.certify(&["elsewhere.example"])).await;
    refused(&full, "the certificate of Postgres is for another host name: check the host in DATABASE_URL").await;

    postgres.certify(&authority.certify_for_the_past(&[&name])).await;
    let app = launch(&full);
    app.until_refused("postgres", "the certificate of Postgres has expired or is not valid yet: renew it, and check the clocks", &secret)
        .await;
    let (before, start) = (proxy.connections(), Instant::now());
    eventually("the replica tries again", async || when(proxy.connections() >= before + 3)).await;
    assert!(start.elapsed().as_millis() >= 500, "three attempts within {:?}", start.elapsed());

    postgres.certify(&authority.certify(&[&name])).await;
    // The schema is migrated only now, so the time depends on the machine.
    app.until_ready().await;
    app.register("ada@example.com").await.expect(201);
    let sessions = "FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE application_name = 'vitrine-backend-1'";
    assert_eq!(postgres.value(&format!("SELECT count(*) {sessions} AND NOT ssl")).await, 0);
    eventually("the pool, the reserved connection and the listening one are open", async || {
        when(postgres.value(&format!("SELECT count(*) {sessions} AND ssl")).await >= 7)
    })
    .await;
}

#[tokio::test]
async fn the_log_names_a_refusal_once_and_no_password() {
    let (postgres, stores) = (OwnPostgres::start(), Stores::new().await);
    postgres.certify(&Authority::new("ours").certify(&["127.0.0.1"])).await;
    let proxy = Proxy::before(&postgres.url(), Mode::Pass).await;
    let authority = TextFile::with(&Authority::new("another").pem());
    let url = through("database-url", &with_tls(&postgres.url(), "verify-full", &authority), proxy.address);
    let program = Program::serve(&stores, &[("DATABASE_URL", url.split_once('=').unwrap().1)]).await;
    let refusals = || program.log().matches("signed by an authority that is not trusted").count();
    eventually("the refusal is in the log", async || when(refusals() > 0)).await;
    let before = proxy.connections();
    eventually("the replica tries again", async || when(proxy.connections() >= before + 3)).await;
    assert_eq!(refusals(), 1, "{}", program.log());
    assert!(!program.log().contains(postgres.url().password().unwrap()), "{}", program.log());
}
