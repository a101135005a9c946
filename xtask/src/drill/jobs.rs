//! Background jobs: too many of them, and such that fail because a platform does.

use anyhow::{Result, ensure};
use serde_json::json;

use super::Drill;
use super::bench::{Bench, shoot};
use super::traffic::Traffic;
use crate::browsing::Browser;
use crate::http::send;
use crate::ports::Port;
use crate::users::create_project;

/// Who wrote the jobs of a drill.
const MARK: &str = "drill";

/// More jobs than are done, and one that nobody does.
pub const BACKLOG: Drill = Drill {
    alerts: &["JobsBacklog:number", "JobsBacklog:age"],
    cause: "1,100 jobs are put off until tomorrow, and one of a kind that no replica knows has been due for eleven minutes",
    mitigation: "who put them there takes them back",
    inject: |bench| {
        bench.stack.sql(&format!(
            "INSERT INTO jobs (kind, payload, run_at)
             SELECT 'post_delivery', jsonb_build_object('by', '{MARK}'), now() + interval '1 day' FROM generate_series(1, 1100)
             UNION ALL SELECT 'unknown', jsonb_build_object('by', '{MARK}'), now() - interval '11 minutes'"
        ))?;
        Ok(Box::new(|bench| bench.stack.sql(&format!("DELETE FROM jobs WHERE payload ->> 'by' = '{MARK}'")).map(drop)))
    },
};

/// A platform answers 503 to everything.
pub const PLATFORM: Drill = Drill {
    alerts: &["SocialApiFailing", "JobsFailing"],
    cause: "Mastodon answers 503, while four posts a second are to be delivered there",
    mitigation: "Mastodon is mended (knob `outage`)",
    inject: |bench| {
        let posts = posts(bench, "mastodon")?;
        bench.knobs("mastodon", &json!({ "outage": "error" }))?;
        Ok(Box::new(move |bench| {
            bench.knobs("mastodon", &json!({}))?;
            drop(posts);
            Ok(())
        }))
    },
};

/// An author who announces something again and again.
fn posts(bench: &Bench, platform: &'static str) -> Result<Traffic> {
    let edge = bench.page(Port::Edge)?;
    let token = bench.somebody()?;
    let project = create_project(&edge, &token, "Announced")?;
    let published = send(
        "POST",
        &format!("{edge}/api/projects/{project}/publish"),
        &[("authorization", &format!("Bearer {token}"))],
        Some(&json!({})),
    )?;
    ensure!(published.status == 200, "publish: {} {}", published.status, published.body);
    let mut browser = Browser::of(&token);
    browser.authorise(&edge, &bench.page(Port::ProviderSim)?, platform)?;
    let (url, bearer) = (format!("{edge}/api/posts"), format!("Bearer {token}"));
    Ok(Traffic::start(4, 2, move |client, number| {
        let post = json!({ "project_id": project, "text": format!("It is there, {number}"), "platforms": [platform] });
        shoot(client, "POST", &url, &[("authorization", &bearer)], Some(&post));
    }))
}
