//! Registration, password login, the session cookie, and responses that must not reveal accounts.

use reqwest::Method;
use serde_json::json;

use crate::support::users::PASSWORD;
use crate::support::{Ask, TestApp};

#[tokio::test]
async fn a_token_identifies_a_user_after_registration_and_login() {
    let app = TestApp::start().await;
    let before = app.settled().await;

    let registered = app.register("ada@example.com").await.expect(201).json();
    assert_eq!((&registered["email"], &registered["role"]), (&json!("ada@example.com"), &json!("member")));
    assert!(registered.get("password").is_none() && registered.get("password_hash").is_none(), "{registered}");
    let login = app.login("ada@example.com", PASSWORD).await.expect(200).json();
    assert_eq!(login["user"], registered);
    let me = app.me(login["token"].as_str().unwrap()).await.expect(200).json();
    assert_eq!(me, registered);

    assert_eq!(app.stores.count("SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'").await, 1);
    let token = login["token"].as_str().unwrap();
    let stored: Vec<u8> = sqlx::query_scalar("SELECT token_hash FROM auth_sessions").fetch_one(app.stores.pool()).await.unwrap();
    assert_eq!(stored.len(), 32);
    assert!(!stored.windows(8).any(|part| token.as_bytes().starts_with(part)), "the token itself must not be stored");
    let after = app.settled().await;
    assert_eq!(after.since(&before, "users_registered_total", &[]), 1.0);
    assert_eq!(after.since(&before, "auth_attempts_total", &[("method", "password"), ("status", "success")]), 1.0);
    assert_eq!(after.since(&before, "auth_attempts_total", &[("method", "token"), ("status", "success")]), 1.0);
}

#[tokio::test]
async fn a_session_cookie_identifies_a_browser() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await.expect(201);
    let login = app.login("ada@example.com", PASSWORD).await.expect(200);
    let cookie = login.header("set-cookie").to_owned();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(pair, format!("vitrine={}", login.json()["token"].as_str().unwrap()));
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(attributes.contains(attribute), "{cookie}");
    }
    assert!(!attributes.contains("Secure") && !attributes.contains("Domain"), "{cookie}");
    app.get("/api/auth/me").header("cookie", format!("other=1; {pair}")).answer().await.expect(200);

    let logout = app.post("/api/auth/logout").header("cookie", pair).answer().await.expect(204);
    let removal = logout.header("set-cookie");
    assert!(removal.starts_with("vitrine=;") && removal.contains("Max-Age=0"), "{removal}");
    app.get("/api/auth/me").header("cookie", pair).answer().await.problem(401, "invalid_token");
}

#[tokio::test]
async fn behind_tls_the_cookie_is_secure_and_bound_to_the_host() {
    let app = TestApp::with(&["--public-url=https://vitrine.example"]).await;
    app.register("ada@example.com").await.expect(201);
    let login = app.login("ada@example.com", PASSWORD).await.expect(200);
    let cookie = login.header("set-cookie");
    assert!(cookie.starts_with("__Host-vitrine="), "{cookie}");
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    // Another host of the domain can set a cookie without the prefix, so the service ignores such a cookie.
    let token = login.json()["token"].as_str().unwrap().to_owned();
    app.get("/api/auth/me").header("cookie", format!("vitrine={token}")).answer().await.problem(401, "unauthenticated");
    app.get("/api/auth/me").header("cookie", format!("__Host-vitrine={token}")).answer().await.expect(200);
}

#[tokio::test]
async fn addresses_that_differ_only_in_case_are_the_same() {
    let app = TestApp::start().await;
    app.register("Ada@Example.com").await.expect(201);
    app.register("ada@example.COM").await.problem(409, "email_taken");
    app.register("  ada@example.com  ").await.problem(409, "email_taken");
    assert_eq!(app.stores.count("SELECT count(*) FROM users").await, 1);
    let login = app.login("ADA@EXAMPLE.COM", PASSWORD).await.expect(200).json();
    assert_eq!(login["user"]["email"], "Ada@Example.com");
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_password_get_the_same_response() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await.expect(201);
    let before = app.settled().await;
    let wrong = app.login("ada@example.com", "not the password").await.problem(401, "invalid_credentials");
    let unknown = app.login("eve@example.com", "not the password").await.problem(401, "invalid_credentials");
    let without_its_request = |answer: &crate::support::Answer| {
        let mut body = answer.json();
        body.as_object_mut().unwrap().remove("trace_id");
        body
    };
    assert_eq!(without_its_request(&wrong), without_its_request(&unknown));
    let names = |answer: &crate::support::Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&wrong), names(&unknown));
    assert_eq!(wrong.header("set-cookie"), "");
    let after = app.settled().await;
    assert_eq!(after.since(&before, "auth_attempts_total", &[("method", "password"), ("status", "failure")]), 2.0);
    assert_eq!(app.stores.count("SELECT count(*) FROM auth_sessions").await, 0);
}

#[tokio::test]
async fn an_account_without_a_password_refuses_password_logins() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await.expect(201);
    app.stores.execute("UPDATE users SET password_hash = NULL").await;
    app.login("ada@example.com", PASSWORD).await.problem(401, "invalid_credentials");
    app.login("ada@example.com", "").await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn a_weak_old_hash_is_replaced_at_the_next_login() {
    use argon2::password_hash::PasswordHasher;
    let app = TestApp::start().await;
    app.register("ada@example.com").await.expect(201);
    let weak = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, argon2::Params::new(8192, 1, 1, None).unwrap());
    let old = weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    let stored = async || sqlx::query_scalar::<_, String>("SELECT password_hash FROM users").fetch_one(app.stores.pool()).await.unwrap();
    sqlx::query("UPDATE users SET password_hash = $1").bind(&old).execute(app.stores.pool()).await.unwrap();

    app.login("ada@example.com", "not the password").await.problem(401, "invalid_credentials");
    assert_eq!(stored().await, old, "a wrong password must change nothing");
    app.login("ada@example.com", PASSWORD).await.expect(200);
    let new = stored().await;
    assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
    app.login("ada@example.com", PASSWORD).await.expect(200);
    assert_eq!(stored().await, new, "a current hash must stay");
}

#[tokio::test]
async fn a_repeated_registration_has_one_effect_and_one_response() {
    let app = TestApp::start().await;
    let before = app.settled().await;
    let send = async |email: &str, password: &str, name: &str| {
        let body = json!({ "email": email, "password": password, "display_name": name });
        app.post("/api/auth/register").header("idempotency-key", "k-1").json(&body).answer().await
    };
    let first = send("ada@example.com", PASSWORD, "Ada").await.expect(201);
    let second = send("ada@example.com", PASSWORD, "Ada").await.expect(201);
    assert_eq!(first.json(), second.json());
    send("ada@example.com", PASSWORD, "Eve").await.problem(422, "idempotency_key_reused");
    // A client that sends another password must not receive the stored response.
    send("ada@example.com", "another long pass phrase", "Ada").await.problem(422, "idempotency_key_reused");
    // Each e-mail address has its own idempotency keys, so another address may use the same key.
    send("eve@example.com", PASSWORD, "Eve").await.expect(201);
    assert_eq!(app.stores.count("SELECT count(*) FROM users").await, 2);
    assert_eq!(app.stores.count("SELECT count(*) FROM idempotency_keys WHERE result::text LIKE '%argon2%'").await, 0);
    let after = app.settled().await;
    assert_eq!(after.since(&before, "users_registered_total", &[]), 2.0);
    assert_eq!(after.since(&before, "idempotent_replays_total", &[]), 2.0);
}

#[tokio::test]
async fn without_a_session_no_account_data_is_returned() {
    let app = TestApp::start().await;
    let routes = [
        (Method::GET, "/api/auth/me"),
        (Method::GET, "/api/auth/sessions"),
        (Method::GET, "/api/auth/events"),
        (Method::POST, "/api/auth/logout"),
        (Method::POST, "/api/auth/logout-all"),
        (Method::POST, "/api/auth/confirmations"),
        (Method::DELETE, "/api/auth/sessions/019f0000-0000-7000-8000-000000000000"),
    ];
    for (method, path) in routes {
        app.request(method, path).answer().await.problem(401, "unauthenticated");
    }
}
