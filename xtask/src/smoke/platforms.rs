//! What goes by way of platforms, in one browser: sign in at one, link another, publish a project and announce it there.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{OPERATION_LIMIT, expect};
use crate::http::{Answer, Client, get};
use crate::process::wait_until;
use crate::report::Outcome;

/// The journey of a browser that knows nothing yet.
pub fn journey(edge: &str, simulator: &str) -> Result<Outcome> {
    let mut browser = Browser { http: Client::new(), cookies: BTreeMap::new() };
    let api = |path: &str| format!("{edge}/api{path}");

    browser.authorise(edge, simulator, "google")?;
    let me = expect(&browser.get(&api("/auth/me"))?, 200, "who is signed in")?;
    browser.authorise(edge, simulator, "mastodon")?;
    let accounts = expect(&browser.get(&api("/accounts"))?, 200, "linked accounts")?;
    let platforms: Vec<&str> = list(&accounts["items"]).filter_map(|account| account["platform"].as_str()).collect();
    ensure!(["google", "mastodon"].iter().all(|name| platforms.contains(name)), "{me} is linked with {platforms:?}");

    let project = expect(&browser.post(&api("/projects"), &json!({ "name": "Announced" }))?, 201, "create")?;
    let id = project["id"].as_str().unwrap_or_default();
    expect(&browser.post(&api(&format!("/projects/{id}/publish")), &json!({}))?, 200, "publish")?;
    let new = json!({ "project_id": id, "text": "It is there", "platforms": ["mastodon"] });
    let post = expect(&browser.post(&api("/posts"), &new)?, 201, "announce")?;
    let place = api(&format!("/posts/{}", post["id"].as_str().unwrap_or_default()));
    wait_until("the post is delivered", OPERATION_LIMIT, || {
        let post = expect(&browser.get(&place)?, 200, "the post")?;
        let mut deliveries = list(&post["deliveries"]).peekable();
        Ok(deliveries.peek().is_some() && deliveries.all(|delivery| delivery["status"] == "delivered"))
    })?;
    let counts = expect(&get(&format!("{simulator}/counts"))?, 200, "counts")?;
    ensure!(counts["mastodon"]["posts"] == 1, "one announcement made these posts: {}", counts["mastodon"]);
    Ok(Outcome::passed().with_note("sign in by google, link mastodon, publish, announce, delivered once"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Keeps cookies, whatever else is said of them: it has one host to do with.
struct Browser {
    http: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn get(&mut self, url: &str) -> Result<Answer> {
        self.send("GET", url, None)
    }

    fn post(&mut self, url: &str, body: &Value) -> Result<Answer> {
        self.send("POST", url, Some(("application/json", body.to_string())))
    }

    fn send(&mut self, method: &str, url: &str, body: Option<(&str, String)>) -> Result<Answer> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = self.http.send_text(method, url, &[("cookie", &cookies.join("; "))], body)?;
        for set in answer.headers.get_all("set-cookie") {
            let cookie = set.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = cookie.split_once('=').context("a cookie has a value")?;
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok(answer)
    }

    /// Follows the way to a platform, consents there, and follows the way back.
    fn authorise(&mut self, edge: &str, simulator: &str, platform: &str) -> Result<()> {
        let start = self.get(&format!("{edge}/api/oauth/{platform}/start"))?;
        let consent_page = redirect(&start, &format!("{simulator}/{platform}/oauth/authorize?"))?;
        let shown = self.get(consent_page)?;
        ensure!(shown.status == 200, "the consent page of {platform}: {} {}", shown.status, shown.body);
        let (page, request) = consent_page.split_once('?').unwrap_or_default();
        let form = format!("{request}&account=ada&decision=approve");
        let consented = self.send("POST", page, Some(("application/x-www-form-urlencoded", form)))?;
        let callback = redirect(&consented, &format!("{edge}/api/oauth/{platform}/callback?"))?;
        let done = self.get(callback)?;
        ensure!(done.status == 303, "the callback of {platform}: {} {}", done.status, done.body);
        Ok(())
    }
}

/// Where an answer sends the browser, which has to begin so.
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
