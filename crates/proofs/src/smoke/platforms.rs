//! A user's journey through platforms, in one browser: sign in with one platform, link a second one, publish a project, and announce the
//! project on the second platform.

use anyhow::{Result, ensure};
use devstack::http::get;
use devstack::process::wait_until;
use devstack::report::Outcome;
use serde_json::{Value, json};

use super::answers::{OPERATION_LIMIT, expect};
use crate::browsing::Browser;

/// The journey of a new browser, which has no cookies yet.
pub fn journey(edge: &str, simulator: &str) -> Result<Outcome> {
    let mut browser = Browser::new();
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
    let url = api(&format!("/posts/{}", post["id"].as_str().unwrap_or_default()));
    wait_until("the post is delivered", OPERATION_LIMIT, || {
        let post = expect(&browser.get(&url)?, 200, "the post")?;
        let mut deliveries = list(&post["deliveries"]).peekable();
        Ok(deliveries.peek().is_some() && deliveries.all(|delivery| delivery["status"] == "delivered"))
    })?;
    let counts = expect(&get(&format!("{simulator}/counts"))?, 200, "counts")?;
    ensure!(counts["mastodon"]["posts"] == 1, "one announcement must make one post: {}", counts["mastodon"]);
    Ok(Outcome::passed().with_note("sign in with google, link mastodon, publish, announce, delivered once"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
