//! A browser for OAuth flows: it keeps cookies and follows redirects to the platforms and back.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use devstack::http::{Answer, Client};
use serde_json::Value;

/// Keeps every cookie and ignores its attributes: the edge and the simulated platforms have the same host name.
pub struct Browser {
    http: Client,
    bearer: Option<String>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// A browser without cookies.
    pub fn new() -> Self {
        Self { http: Client::new(), bearer: None, cookies: BTreeMap::new() }
    }

    /// A browser with the bearer token of a signed-in user.
    pub fn of(token: &str) -> Self {
        Self { bearer: Some(format!("Bearer {token}")), ..Self::new() }
    }

    /// Sends a GET.
    pub fn get(&mut self, url: &str) -> Result<Answer> {
        self.send("GET", url, None)
    }

    /// Sends a POST with a JSON body.
    pub fn post(&mut self, url: &str, body: &Value) -> Result<Answer> {
        self.send("POST", url, Some(("application/json", body.to_string())))
    }

    /// Sends a POST with a body of any content type.
    pub fn post_text(&mut self, url: &str, kind: &str, body: String) -> Result<Answer> {
        self.send("POST", url, Some((kind, body)))
    }

    /// The cookies, by name.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cookies.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn send(&mut self, method: &str, url: &str, body: Option<(&str, String)>) -> Result<Answer> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let headers = [("cookie", cookies.as_str())].into_iter().chain(self.bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let answer = self.http.send_text(method, url, &headers.collect::<Vec<_>>(), body)?;
        for set in answer.headers.get_all("set-cookie") {
            let cookie = set.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = cookie.split_once('=').context("a cookie has no value")?;
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok(answer)
    }

    /// Goes to a platform, consents there as `grace`, and follows the redirect back.
    pub fn authorise(&mut self, edge: &str, simulator: &str, platform: &str) -> Result<()> {
        self.authorise_as(edge, simulator, platform, "grace").map(drop)
    }

    /// As [`Self::authorise`], with a chosen account of the platform. The account's name must not need percent-encoding. Returns
    /// the values in the query of the callback.
    pub fn authorise_as(&mut self, edge: &str, simulator: &str, platform: &str, account: &str) -> Result<Vec<String>> {
        let start = self.get(&format!("{edge}/api/oauth/{platform}/start"))?;
        let consent_page = redirect(&start, &format!("{simulator}/{platform}/oauth/authorize?"))?;
        let shown = self.get(consent_page)?;
        ensure!(shown.status == 200, "the consent page of {platform}: {} {}", shown.status, shown.body);
        let (page, request) = consent_page.split_once('?').unwrap_or_default();
        let form = format!("{request}&account={account}&decision=approve");
        let consented = self.send("POST", page, Some(("application/x-www-form-urlencoded", form)))?;
        let callback = redirect(&consented, &format!("{edge}/api/oauth/{platform}/callback?"))?;
        let done = self.get(callback)?;
        ensure!(done.status == 303, "the callback of {platform}: {} {}", done.status, done.body);
        let (_, query) = callback.split_once('?').unwrap_or_default();
        Ok(query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value.to_owned()).collect())
    }
}

/// The redirect target of a response, which must begin with `beginning`.
fn redirect<'a>(answer: &'a Answer, beginning: &str) -> Result<&'a str> {
    let location = answer.header("location");
    ensure!(
        answer.status == 303 && location.starts_with(beginning),
        "{} to '{location}' instead of 303 to {beginning}…: {}",
        answer.status,
        answer.body
    );
    Ok(location)
}
