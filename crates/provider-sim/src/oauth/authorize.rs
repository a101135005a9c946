//! The authorization endpoint: checks the request, asks for consent, and redirects the browser back with the response.
//!
//! A request with a wrong client or redirect URI gets an error page, because a redirect would make this endpoint an open redirector
//! (RFC 6749, 4.1.2.1).

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{RawForm, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY};
use axum::response::{IntoResponse, Redirect, Response};
use url::Url;

use super::parameters::Parameters;
use super::scopes;
use crate::account::Account;
use crate::grants::Grant;
use crate::knobs::{ANOTHER_ISSUER, Lie};
use crate::pages;
use crate::provider::Provider;

/// Length of a SHA-256 in base64url without padding (RFC 7636, 4.2).
const CHALLENGE_LENGTH: usize = 43;
/// The request parameters that the consent form submits again.
const HANDED_ON: [&str; 8] =
    ["client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method"];

/// A valid authorization request.
struct AuthorizationRequest {
    scopes: Vec<&'static str>,
    challenge: String,
    nonce: Option<String>,
    state: Option<String>,
}

/// Why a request is refused.
enum Refusal {
    /// Shown on a page, without a redirect: the client, the redirect URI or the submitted form is invalid.
    Page(String),
    /// Sent to the client by a redirect.
    Client { error: &'static str, description: String, state: Option<String> },
}

/// The consent page.
pub async fn show(State(provider): State<Arc<Provider>>, RawQuery(query): RawQuery) -> Response {
    let parameters = Parameters::read(query.unwrap_or_default().as_bytes());
    match AuthorizationRequest::read(&provider, &parameters) {
        Ok(request) => {
            let hidden = HANDED_ON.into_iter().filter_map(|name| Some((name, parameters.get(name)?)));
            pages::consent(provider.platform, &provider.site.client_id, &request.scopes, hidden)
        }
        Err(refusal) => refusal.answer(&provider),
    }
}

/// Handles the account owner's decision.
pub async fn decide(State(provider): State<Arc<Provider>>, RawForm(body): RawForm) -> Response {
    let parameters = Parameters::read(&body);
    decision(&provider, &parameters).unwrap_or_else(|refusal| refusal.answer(&provider))
}

fn decision(provider: &Provider, parameters: &Parameters) -> Result<Response, Refusal> {
    let request = AuthorizationRequest::read(provider, parameters)?;
    match parameters.get("decision") {
        Some("approve") => {
            let account =
                Account::new(parameters.get("account"), parameters.get("email")).map_err(|reason| Refusal::Page(reason.to_owned()))?;
            Ok(approve(provider, request, account))
        }
        Some("deny") => {
            provider.state().counts.denials += 1;
            Err(Refusal::Client {
                error: "access_denied",
                description: "the account's owner denied the request".to_owned(),
                state: request.state,
            })
        }
        _ => Err(Refusal::Page("decision must be approve or deny".to_owned())),
    }
}

fn approve(provider: &Provider, request: AuthorizationRequest, account: Account) -> Response {
    let redirect_uri = provider.redirect_uri();
    let grant = Grant { account, scopes: request.scopes, nonce: request.nonce, challenge: request.challenge, redirect_uri };
    let code = {
        let mut state = provider.state();
        state.counts.authorizations += 1;
        if state.knobs.lie == Some(Lie::ReplayedCode) {
            state.grants.issue_used_code(grant, Instant::now())
        } else {
            state.grants.issue_code(grant, Instant::now())
        }
    };
    send_back(provider, &[("code", &code)], request.state.as_deref())
}

impl AuthorizationRequest {
    fn read(provider: &Provider, parameters: &Parameters) -> Result<Self, Refusal> {
        let page = |reason: String| Err(Refusal::Page(reason));
        if let Some(name) = ["client_id", "redirect_uri"].into_iter().find(|name| parameters.repeats(name)) {
            return page(format!("{name} is repeated"));
        }
        if parameters.get("client_id") != Some(&*provider.site.client_id) {
            return page(format!("no client is registered as “{}”", parameters.get("client_id").unwrap_or_default()));
        }
        if parameters.get("redirect_uri") != Some(&*provider.redirect_uri()) {
            return page(format!("redirect_uri “{}” is not the registered one", parameters.get("redirect_uri").unwrap_or_default()));
        }
        let state = parameters.get("state").map(str::to_owned);
        let refuse = |error, description: &str| Refusal::Client { error, description: description.to_owned(), state: state.clone() };
        if let Some(name) = parameters.repeated() {
            return Err(refuse("invalid_request", &format!("{name} is repeated")));
        }
        match parameters.get("response_type") {
            Some("code") => {}
            Some(_) => return Err(refuse("unsupported_response_type", "response_type must be code")),
            None => return Err(refuse("invalid_request", "response_type is missing")),
        }
        if parameters.get("code_challenge_method") != Some("S256") {
            return Err(refuse("invalid_request", "code_challenge_method must be S256"));
        }
        let challenge = parameters.get("code_challenge").unwrap_or_default();
        if challenge.len() != CHALLENGE_LENGTH || !challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(refuse("invalid_request", "code_challenge must be a SHA-256 in base64url"));
        }
        let scopes = scopes::read(provider.platform, parameters.get("scope").unwrap_or_default())
            .map_err(|_| refuse("invalid_scope", "the platform does not support one of the scopes"))?;
        Ok(Self { scopes, challenge: challenge.to_owned(), nonce: parameters.get("nonce").map(str::to_owned), state })
    }
}

impl Refusal {
    fn answer(self, provider: &Provider) -> Response {
        match self {
            Self::Page(reason) => pages::refusal(provider.platform, &reason),
            Self::Client { error, description, state } => {
                send_back(provider, &[("error", error), ("error_description", &description)], state.as_deref())
            }
        }
    }
}

/// Redirects the browser to the client.
fn send_back(provider: &Provider, answer: &[(&str, &str)], state: Option<&str>) -> Response {
    let redirect_uri = provider.redirect_uri();
    let Ok(mut url) = Url::parse(&redirect_uri) else {
        return pages::refusal(provider.platform, "the registered redirect URI is not a URL");
    };
    url.query_pairs_mut().extend_pairs(answer).extend_pairs(state.map(|state| ("state", state)));
    if provider.platform.is_oidc() {
        let lie = provider.state().knobs.lie;
        match lie {
            Some(Lie::NoIssParameter) => {}
            Some(Lie::IssParameter) => drop(url.query_pairs_mut().append_pair("iss", ANOTHER_ISSUER)),
            _ => drop(url.query_pairs_mut().append_pair("iss", &provider.issuer())),
        }
    }
    // The URL may contain the code, so it must not be cached or sent as a referrer.
    ([(CACHE_CONTROL, "no-store"), (REFERRER_POLICY, "no-referrer")], Redirect::to(url.as_str())).into_response()
}
