//! Lies: the knob `lie` gives a platform one incorrect value or behaviour. These tests check that all other values stay correct, and that
//! a strict client refuses a wrong ID token.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet};
use openidconnect::{ClaimsVerificationError as Wrong, ClientId, ClientSecret, IssuerUrl, Nonce, SignatureVerificationError as Unsigned};
use provider_sim::Platform;
use serde_json::{Value, json};

use crate::support::{AuthorizationRequest, Stage, Tokens};

const OPENID: [Platform; 3] = [Platform::Gitlab, Platform::Google, Platform::Linkedin];

impl Stage {
    async fn lie(&self, platform: Platform, lie: &str) {
        self.turn(platform, json!({ "lie": lie })).await;
    }

    /// The verdict of an independent client library on an ID token.
    async fn verdict(&self, platform: Platform, tokens: &Tokens) -> Result<(), Wrong> {
        let keys: CoreJsonWebKeySet = serde_json::from_str(&self.get(&format!("{}/oauth/jwks", platform.name())).await.text).unwrap();
        let verifier = CoreIdTokenVerifier::new_confidential_client(
            ClientId::new("vitrine".to_owned()),
            ClientSecret::new("simulated".to_owned()),
            IssuerUrl::new(self.issuer(platform)).unwrap(),
            keys,
        );
        let token = CoreIdToken::from_str(tokens.answer["id_token"].as_str().unwrap()).unwrap();
        token.claims(&verifier, &Nonce::new("the-nonce".to_owned())).map(|_| ())
    }

    /// Compares the ID token of a login without a lie with that of a login with the lie. Returns the names of the header fields and claims
    /// that differ, except times, and the tokens of the second login.
    async fn differences(&self, lie: &str) -> (Vec<String>, Tokens) {
        let request = AuthorizationRequest::of(Platform::Google);
        self.turn(Platform::Google, json!({})).await;
        let truth = self.sign_in(&request).await;
        self.lie(Platform::Google, lie).await;
        let false_tokens = self.sign_in(&request).await;
        let ((header, claims), (false_header, false_claims)) = (truth.id_token(), false_tokens.id_token());
        let mut different = changed(&header, &false_header);
        different.extend(changed(&without_times(&claims), &without_times(&false_claims)));
        (different, false_tokens)
    }
}

fn changed(one: &Value, other: &Value) -> Vec<String> {
    let (one, other) = (one.as_object().unwrap(), other.as_object().unwrap());
    let mut names: Vec<_> = one.keys().chain(other.keys()).filter(|name| one.get(*name) != other.get(*name)).cloned().collect();
    names.sort();
    names.dedup();
    names
}

fn without_times(claims: &Value) -> Value {
    let mut claims = claims.clone();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    claims.as_object_mut().unwrap().retain(|name, _| name != "exp" && name != "iat");
    claims
}

#[tokio::test]
async fn without_a_lie_a_strict_client_accepts_every_id_token() {
    let stage = Stage::start().await;
    for platform in OPENID {
        let tokens = stage.sign_in(&AuthorizationRequest::of(platform)).await;
        stage.verdict(platform, &tokens).await.unwrap();
        let (header, claims) = tokens.id_token();
        assert_eq!(header["alg"], "RS256");
        let expected = json!({
            "iss": stage.issuer(platform), "aud": "vitrine", "sub": claims["sub"], "nonce": "the-nonce", "email": "ada@example.com",
            "email_verified": true, "name": "Ada", "preferred_username": "ada",
        });
        assert_eq!(without_times(&claims), expected);
    }
}

#[tokio::test]
async fn the_issuer_is_wrong() {
    let stage = Stage::start().await;
    let (different, tokens) = stage.differences("issuer").await;
    assert_eq!(different, ["iss"]);
    assert!(matches!(stage.verdict(Platform::Google, &tokens).await, Err(Wrong::InvalidIssuer(_))));
}

#[tokio::test]
async fn the_audience_is_wrong() {
    let stage = Stage::start().await;
    let (different, tokens) = stage.differences("audience").await;
    assert_eq!(different, ["aud"]);
    assert!(matches!(stage.verdict(Platform::Google, &tokens).await, Err(Wrong::InvalidAudience(_))));
}

#[tokio::test]
async fn the_nonce_is_wrong_or_missing() {
    let stage = Stage::start().await;
    for (lie, nonce) in [("nonce", Some(&json!("another-nonce"))), ("no_nonce", None)] {
        let (different, tokens) = stage.differences(lie).await;
        assert_eq!(different, ["nonce"]);
        assert_eq!(tokens.id_token().1.get("nonce"), nonce);
        assert!(matches!(stage.verdict(Platform::Google, &tokens).await, Err(Wrong::InvalidNonce(_))));
    }
}

#[tokio::test]
async fn the_token_has_expired() {
    let stage = Stage::start().await;
    let (different, tokens) = stage.differences("expired").await;
    assert_eq!(different, [""; 0]);
    assert!(matches!(stage.verdict(Platform::Google, &tokens).await, Err(Wrong::Expired(_))));
    assert!(stage.takes(Platform::Google, &tokens.access).await, "the access token has not expired");
}

#[tokio::test]
async fn the_token_is_unsigned_with_alg_none() {
    let stage = Stage::start().await;
    let (different, tokens) = stage.differences("alg_none").await;
    assert_eq!((different, &tokens.id_token().0["alg"]), (vec!["alg".to_owned()], &json!("none")));
    assert!(tokens.answer["id_token"].as_str().unwrap().ends_with('.'));
    let verdict = stage.verdict(Platform::Google, &tokens).await;
    assert!(matches!(verdict, Err(Wrong::SignatureVerification(Unsigned::NoSignature))), "{verdict:?}");
}

#[tokio::test]
async fn the_token_is_signed_with_the_public_key_as_a_secret() {
    use hmac::{Hmac, KeyInit, Mac};
    use rsa::pkcs8::{EncodePublicKey, LineEnding};

    let stage = Stage::start().await;
    let (different, tokens) = stage.differences("hs256").await;
    assert_eq!((different, &tokens.id_token().0["alg"]), (vec!["alg".to_owned()], &json!("HS256")));
    assert!(stage.verdict(Platform::Google, &tokens).await.is_err());

    // The attack is real: a client that used the key as a secret would accept the token.
    let key = &stage.get("google/oauth/jwks").await.json()["keys"][0];
    let number = |name: &str| rsa::BigUint::from_bytes_be(&URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap());
    let secret = rsa::RsaPublicKey::new(number("n"), number("e")).unwrap().to_public_key_pem(LineEnding::LF).unwrap();
    let (text, signature) = tokens.answer["id_token"].as_str().unwrap().rsplit_once('.').unwrap();
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text);
    mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
}

#[tokio::test]
async fn the_signature_is_invalid() {
    let stage = Stage::start().await;
    let (different, tokens) = stage.differences("signature").await;
    assert_eq!(different, [""; 0]);
    let verdict = stage.verdict(Platform::Google, &tokens).await;
    assert!(matches!(verdict, Err(Wrong::SignatureVerification(Unsigned::CryptoError(_)))), "{verdict:?}");
}

#[tokio::test]
async fn the_key_is_not_published() {
    let stage = Stage::start().await;
    let (different, tokens) = stage.differences("unknown_key").await;
    assert_eq!(different, ["kid"]);
    let verdict = stage.verdict(Platform::Google, &tokens).await;
    assert!(matches!(verdict, Err(Wrong::SignatureVerification(Unsigned::NoMatchingKey))), "{verdict:?}");
}

#[tokio::test]
async fn the_authorization_response_names_a_wrong_issuer_or_none() {
    let stage = Stage::start().await;
    let request = AuthorizationRequest::of(Platform::Gitlab);
    for (lie, issuer) in [("iss_parameter", Some("https://another-issuer.invalid")), ("no_iss_parameter", None)] {
        stage.lie(Platform::Gitlab, lie).await;
        let parameters = stage.consent(&request).await.redirected();
        assert_eq!(parameters.get("iss").map(String::as_str), issuer);
        assert_eq!(parameters["state"], "the-state");
        let tokens = stage.redeem(Platform::Gitlab, &parameters["code"]).await.tokens();
        stage.verdict(Platform::Gitlab, &tokens).await.unwrap();
        let denial = stage.consent(&request.clone().set("decision", "deny")).await.redirected();
        assert_eq!(denial.get("iss").map(String::as_str), issuer);
    }
}

#[tokio::test]
async fn a_replayed_code_cannot_be_exchanged() {
    let stage = Stage::start().await;
    for platform in Platform::ALL {
        stage.lie(platform, "replayed_code").await;
        let parameters = stage.consent(&AuthorizationRequest::of(platform)).await.redirected();
        assert_eq!(parameters["state"], "the-state");
        assert_eq!(parameters.contains_key("iss"), platform.is_oidc());
        stage.redeem(platform, &parameters["code"]).await.is_refusal(400, "invalid_grant");
    }
}

#[tokio::test]
async fn the_email_address_is_unverified_or_missing() {
    let stage = Stage::start().await;
    for (lie, expected) in [("unverified_email", vec!["email_verified"]), ("no_email", vec!["email", "email_verified"])] {
        let (different, tokens) = stage.differences(lie).await;
        assert_eq!(different, expected);
        stage.verdict(Platform::Google, &tokens).await.unwrap();
        let userinfo = stage.read("google/oauth/userinfo", &tokens.access).await.json();
        let (_, claims) = tokens.id_token();
        assert_eq!((userinfo.get("email"), userinfo.get("email_verified")), (claims.get("email"), claims.get("email_verified")));
    }
    let github = stage.sign_in(&AuthorizationRequest::of(Platform::Github)).await;
    stage.lie(Platform::Github, "unverified_email").await;
    assert_eq!(stage.read("github/user/emails", &github.access).await.json()[0]["verified"], false);
    stage.lie(Platform::Github, "no_email").await;
    assert_eq!(stage.read("github/user/emails", &github.access).await.json(), json!([]));
}

#[tokio::test]
async fn the_discovery_document_has_a_wrong_issuer() {
    let stage = Stage::start().await;
    let path = "linkedin/.well-known/openid-configuration";
    let truth = stage.get(path).await.json();
    assert_eq!(truth["issuer"], stage.issuer(Platform::Linkedin));
    stage.lie(Platform::Linkedin, "discovery_issuer").await;
    assert_eq!(changed(&truth, &stage.get(path).await.json()), ["issuer"]);
    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::Linkedin)).await;
    stage.verdict(Platform::Linkedin, &tokens).await.unwrap();
}
