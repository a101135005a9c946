//! The fixtures of the tests: a simulator, an HTTP client, and an OAuth client that behaves correctly by default.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provider_sim::{Config, Counts, Platform, Simulator};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

/// A generous limit, because the machine may be busy: only a hanging test reaches it.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(10);
pub const VERIFIER: &str = "a-verifier-that-is-long-enough-for-everybody-0";

/// A simulator and an HTTP client for it.
pub struct Stage {
    pub simulator: Simulator,
    http: Client,
}

/// A response, read to the end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

/// An authorization request and the decision of the account's owner, as form fields. All fields are valid by default.
#[derive(Clone)]
pub struct AuthorizationRequest {
    pub platform: Platform,
    fields: BTreeMap<&'static str, String>,
}

/// The tokens of a completed login.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub answer: Value,
}

impl Stage {
    pub async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        Self::of(Simulator::start(config).await.unwrap())
    }

    pub fn of(simulator: Simulator) -> Self {
        Self { simulator, http: Client::builder().redirect(Policy::none()).build().unwrap() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.simulator.url(path))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        Answer::of(self.request(Method::POST, path).form(fields)).await
    }

    /// Sets knobs, and asserts that the simulator accepts them.
    pub async fn turn(&self, platform: Platform, knobs: Value) {
        let answer = Answer::of(self.request(Method::PUT, &format!("knobs/{}", platform.name())).json(&knobs)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    pub async fn counts(&self, platform: Platform) -> Counts {
        let mut all: BTreeMap<Platform, Counts> = serde_json::from_str(&self.get("counts").await.text).unwrap();
        all.remove(&platform).unwrap()
    }

    pub fn issuer(&self, platform: Platform) -> String {
        self.simulator.url(platform.name())
    }

    /// Submits the consent page's form.
    pub async fn consent(&self, request: &AuthorizationRequest) -> Answer {
        Answer::of(self.request(Method::POST, &request.path()).form(&request.fields)).await
    }

    /// A code from an approved request.
    pub async fn code(&self, request: &AuthorizationRequest) -> String {
        self.consent(request).await.redirected()["code"].clone()
    }

    /// A call of the token endpoint with valid client authentication.
    pub async fn token(&self, platform: Platform, fields: &[(&str, &str)]) -> Answer {
        let request = self.request(Method::POST, &format!("{}/oauth/token", platform.name()));
        Answer::of(request.basic_auth("vitrine", Some("simulated")).form(fields)).await
    }

    pub async fn redeem(&self, platform: Platform, code: &str) -> Answer {
        let redirect_uri = redirect_uri(platform);
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", &redirect_uri), ("code_verifier", VERIFIER)];
        self.token(platform, &fields).await
    }

    pub async fn refresh(&self, platform: Platform, token: &str) -> Answer {
        self.token(platform, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub async fn revoke(&self, platform: Platform, token: &str) -> Answer {
        let request = self.request(Method::POST, &format!("{}/oauth/revoke", platform.name()));
        Answer::of(request.basic_auth("vitrine", Some("simulated")).form(&[("token", token)])).await
    }

    /// The whole flow from consent to tokens.
    pub async fn sign_in(&self, request: &AuthorizationRequest) -> Tokens {
        let code = self.code(request).await;
        self.redeem(request.platform, &code).await.tokens()
    }

    /// Sends a GET with a token.
    pub async fn read(&self, path: &str, token: &str) -> Answer {
        // Only LinkedIn's API checks these headers.
        let versions = self.request(Method::GET, path).header("LinkedIn-Version", "202506").header("X-Restli-Protocol-Version", "2.0.0");
        Answer::of(versions.bearer_auth(token)).await
    }

    /// Whether the platform still accepts a token.
    pub async fn takes(&self, platform: Platform, token: &str) -> bool {
        let path = match platform {
            Platform::Github => "github/user",
            Platform::Mastodon => "mastodon/api/v1/accounts/verify_credentials",
            Platform::X => "x/2/users/me",
            Platform::Gitlab => "gitlab/oauth/userinfo",
            Platform::Google => "google/oauth/userinfo",
            Platform::Linkedin => "linkedin/oauth/userinfo",
        };
        match self.read(path, token).await.status {
            200 => true,
            401 => false,
            other => panic!("{path} returned {other}"),
        }
    }
}

impl AuthorizationRequest {
    pub fn of(platform: Platform) -> Self {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let scope = match platform {
            Platform::Github => "read:user user:email",
            Platform::Gitlab | Platform::Google => "openid profile email",
            Platform::Mastodon => "read:accounts write:statuses",
            Platform::Linkedin => "openid profile email w_member_social r_member_profileAnalytics",
            Platform::X => "users.read tweet.read tweet.write",
        };
        let fields = [
            ("client_id", "vitrine"),
            ("redirect_uri", &redirect_uri(platform)),
            ("response_type", "code"),
            ("scope", scope),
            ("state", "the-state"),
            ("nonce", "the-nonce"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("account", "ada"),
            ("decision", "approve"),
        ];
        Self { platform, fields: fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect() }
    }

    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        self.fields.insert(name, value.to_owned());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.fields.remove(name);
        self
    }

    pub fn path(&self) -> String {
        format!("{}/oauth/authorize", self.platform.name())
    }

    /// The path and the query of the consent page.
    pub fn page(&self) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish();
        format!("{}?{query}", self.path())
    }
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self { status: response.status().as_u16(), headers: response.headers().clone(), text: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The parameters of the redirect URL. The URL must begin with the default callback base.
    pub fn redirected(&self) -> BTreeMap<String, String> {
        assert_eq!(self.status, 303, "{}", self.text);
        let url = Url::parse(self.header("location")).unwrap();
        assert!(self.header("location").starts_with("http://localhost:8080/api/oauth/"), "{url}");
        url.query_pairs().into_owned().collect()
    }

    pub fn tokens(&self) -> Tokens {
        assert_eq!(self.status, 200, "{}", self.text);
        let answer = self.json();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Tokens { access: text("access_token"), refresh: text("refresh_token"), answer }
    }

    /// Asserts that the response has this status and this error code (RFC 6749, 5.2).
    pub fn is_refusal(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.json()["error"].as_str()), (status, Some(error)), "{}", self.text);
        assert!(self.json()["error_description"].is_string());
        assert_eq!(self.header("cache-control"), "no-store");
    }
}

impl Tokens {
    /// Header and claims of the ID token, without verification.
    pub fn id_token(&self) -> (Value, Value) {
        let parts: Vec<&str> = self.answer["id_token"].as_str().unwrap().split('.').collect();
        assert_eq!(parts.len(), 3);
        let read = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        (read(parts[0]), read(parts[1]))
    }
}

pub fn redirect_uri(platform: Platform) -> String {
    format!("http://localhost:8080/api/oauth/{}/callback", platform.name())
}

/// Waits until `probe` returns true.
pub async fn eventually(what: &str, mut probe: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !probe().await {
        assert!(Instant::now() < deadline, "timed out before {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// The path and the body of a request to create a post, in the platform's format.
pub fn post(platform: Platform, author: &str, text: &str) -> (&'static str, Value) {
    match platform {
        Platform::Mastodon => ("mastodon/api/v1/statuses", json!({ "status": text })),
        Platform::X => ("x/2/tweets", json!({ "text": text })),
        Platform::Linkedin => (
            "linkedin/rest/posts",
            json!({
                "author": format!("urn:li:person:{author}"),
                "commentary": text,
                "visibility": "PUBLIC",
                "distribution": { "feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": [] },
                "lifecycleState": "PUBLISHED",
                "isReshareDisabledByAuthor": false,
            }),
        ),
        Platform::Github | Platform::Gitlab | Platform::Google => panic!("{} has no posts", platform.name()),
    }
}

/// The platforms that accept posts.
pub const POSTING: [Platform; 3] = [Platform::Mastodon, Platform::Linkedin, Platform::X];
