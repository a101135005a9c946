//! Background jobs: a long queue, and jobs that fail because a platform fails.

use anyhow::{Result, ensure};
use devstack::http::send;
use devstack::ports::Port;
use serde_json::json;

use super::Drill;
use super::test_stack::{TestStack, send_and_forget};
use super::traffic::Traffic;
use crate::browsing::Browser;
use crate::users::create_project;

/// Marks the jobs that a drill inserted.
const MARK: &str = "drill";

/// A long queue, and a due job that no replica runs.
pub const BACKLOG: Drill = Drill {
    alerts: &["JobsBacklog:number", "JobsBacklog:age"],
    cause: "1,100 jobs are scheduled for tomorrow, and a job of an unknown kind has been due for eleven minutes",
    mitigation: "the inserted jobs are deleted",
    inject: |test| {
        test.stack.sql(&format!(
            "INSERT INTO jobs (kind, payload, run_at)
             SELECT 'post_delivery', jsonb_build_object('by', '{MARK}'), now() + interval '1 day' FROM generate_series(1, 1100)
             UNION ALL SELECT 'unknown', jsonb_build_object('by', '{MARK}'), now() - interval '11 minutes'"
        ))?;
        Ok(Box::new(|test| test.stack.sql(&format!("DELETE FROM jobs WHERE payload ->> 'by' = '{MARK}'")).map(drop)))
    },
};

/// A platform answers 503 to every call.
pub const PLATFORM: Drill = Drill {
    alerts: &["SocialApiFailing", "JobsFailing"],
    cause: "Mastodon answers 503 while four posts per second are published to it",
    mitigation: "Mastodon is repaired (knob `outage`)",
    inject: |test| {
        let posts = posts(test, "mastodon")?;
        test.knobs("mastodon", &json!({ "outage": "error" }))?;
        Ok(Box::new(move |test| {
            test.knobs("mastodon", &json!({}))?;
            drop(posts);
            Ok(())
        }))
    },
};

/// An author who publishes at most four posts per second on a platform.
fn posts(test: &TestStack, platform: &'static str) -> Result<Traffic> {
    let edge = test.page(Port::Edge)?;
    let token = test.new_account()?;
    let project = create_project(&edge, &token, "Announced")?;
    let published = send(
        "POST",
        &format!("{edge}/api/projects/{project}/publish"),
        &[("authorization", &format!("Bearer {token}"))],
        Some(&json!({})),
    )?;
    ensure!(published.status == 200, "publish: {} {}", published.status, published.body);
    let mut browser = Browser::of(&token);
    browser.authorise(&edge, &test.page(Port::ProviderSim)?, platform)?;
    let (url, bearer) = (format!("{edge}/api/posts"), format!("Bearer {token}"));
    Ok(Traffic::start(4, 2, move |client, number| {
        let post = json!({ "project_id": project, "text": format!("It is there, {number}"), "platforms": [platform] });
        send_and_forget(client, "POST", &url, &[("authorization", &bearer)], Some(&post));
    }))
}
