//! The authorization endpoint: consent, redirects to the client, and requests that are never redirected.

use provider_sim::Platform;

use crate::support::{Answer, AuthorizationRequest, Stage, VERIFIER, redirect_uri};

#[tokio::test]
async fn every_platform_returns_a_code_and_the_state_and_openid_platforms_also_return_their_issuer() {
    let stage = Stage::start().await;
    for platform in Platform::ALL {
        let answer = stage.consent(&AuthorizationRequest::of(platform)).await;
        let (address, _) = answer.header("location").split_once('?').unwrap();
        assert_eq!(address, redirect_uri(platform));
        assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
        let parameters = answer.redirected();
        assert_eq!(parameters["state"], "the-state", "{}", platform.name());
        assert_eq!(parameters["code"].len(), 43);
        assert_eq!(parameters.get("iss"), platform.is_oidc().then(|| stage.issuer(platform)).as_ref());
        assert_eq!(stage.counts(platform).await.authorizations, 1);
    }
}

#[tokio::test]
async fn a_denial_is_returned_to_the_client_and_counted() {
    let stage = Stage::start().await;
    let parameters = stage.consent(&AuthorizationRequest::of(Platform::Gitlab).set("decision", "deny")).await.redirected();
    assert_eq!(
        (&*parameters["error"], &*parameters["state"], &*parameters["iss"]),
        ("access_denied", "the-state", &*stage.issuer(Platform::Gitlab))
    );
    assert!(!parameters.contains_key("code"));
    let counts = stage.counts(Platform::Gitlab).await;
    assert_eq!((counts.authorizations, counts.denials), (0, 1));
}

#[tokio::test]
async fn a_request_with_an_unregistered_redirect_uri_is_never_redirected() {
    let stage = Stage::start().await;
    let registered = redirect_uri(Platform::Google);
    let others = [
        format!("{registered}/"),
        format!("{registered}/more"),
        format!("{registered}?more"),
        format!("{registered}#more"),
        registered[..registered.len() - 1].to_owned(),
        registered.replace("google", "github"),
        registered.replace("localhost", "LOCALHOST"),
        registered.replace("http:", "https:"),
        registered.replace("localhost:8080", "localhost:8080@evil.example"),
        "https://evil.example/".to_owned(),
        "javascript:alert(1)".to_owned(),
    ];
    for other in others {
        let request = AuthorizationRequest::of(Platform::Google).set("redirect_uri", &other);
        assert_is_page(&stage.get(&request.page()).await, "redirect_uri", &other);
        assert_is_page(&stage.consent(&request).await, "redirect_uri", &other);
        // If a denial were redirected, the endpoint would be an open redirector, too.
        assert_is_page(&stage.consent(&request.set("decision", "deny")).await, "redirect_uri", &other);
    }
    assert_is_page(&stage.get(&AuthorizationRequest::of(Platform::Google).without("redirect_uri").page()).await, "redirect_uri", "none");
    let twice = format!("{}&redirect_uri=https://evil.example/", AuthorizationRequest::of(Platform::Google).page());
    for twice in [twice.clone(), format!("{twice}&state=another&state=third")] {
        assert_is_page(&stage.get(&twice).await, "redirect_uri is repeated", &twice);
    }
    assert_eq!(stage.counts(Platform::Google).await.authorizations, 0);
}

#[tokio::test]
async fn an_unknown_client_is_never_redirected() {
    let stage = Stage::start().await;
    for request in
        [AuthorizationRequest::of(Platform::X).set("client_id", "somebody"), AuthorizationRequest::of(Platform::X).without("client_id")]
    {
        assert_is_page(&stage.get(&request.page()).await, "no client", "");
        assert_is_page(&stage.consent(&request).await, "no client", "");
    }
}

#[tokio::test]
async fn other_errors_in_a_request_are_returned_to_the_client() {
    let stage = Stage::start().await;
    let request = || AuthorizationRequest::of(Platform::Linkedin);
    let wrong = [
        (request().without("response_type"), "invalid_request"),
        (request().set("response_type", "token"), "unsupported_response_type"),
        (request().without("code_challenge"), "invalid_request"),
        (request().without("code_challenge_method"), "invalid_request"),
        (request().set("code_challenge_method", "plain").set("code_challenge", VERIFIER), "invalid_request"),
        (request().set("code_challenge", "too-short"), "invalid_request"),
        (request().set("code_challenge", &"+".repeat(43)), "invalid_request"),
        (request().set("scope", "openid everything"), "invalid_scope"),
    ];
    for (request, error) in wrong {
        for answer in [stage.get(&request.page()).await, stage.consent(&request).await] {
            let parameters = answer.redirected();
            assert_eq!((&*parameters["error"], &*parameters["state"]), (error, "the-state"));
            assert_eq!(parameters["iss"], stage.issuer(Platform::Linkedin));
            assert!(!parameters.contains_key("code"));
        }
    }
    let twice = format!("{}&state=another", request().page());
    assert_eq!(stage.get(&twice).await.redirected()["error"], "invalid_request");
}

#[tokio::test]
async fn an_invalid_form_gets_an_error_page_and_no_code() {
    let stage = Stage::start().await;
    let request = || AuthorizationRequest::of(Platform::Github);
    for (request, about) in [
        (request().set("account", " "), "account"),
        (request().set("account", &"a".repeat(65)), "account"),
        (request().set("account", "a\nb"), "account"),
        (request().set("email", "ada"), "email"),
        (request().set("email", "a da@example.com"), "email"),
        (request().set("decision", "perhaps"), "decision"),
        (request().without("decision"), "decision"),
    ] {
        assert_is_page(&stage.consent(&request).await, about, "");
    }
    assert_eq!(stage.counts(Platform::Github).await.authorizations, 0);
}

fn assert_is_page(answer: &Answer, about: &str, what: &str) {
    assert_eq!(answer.status, 400, "{what}: {}", answer.header("location"));
    assert_eq!(answer.header("location"), "", "{what}");
    assert!(answer.header("content-type").starts_with("text/html"));
    assert!(answer.text.contains(about), "{what}: {}", answer.text);
}
