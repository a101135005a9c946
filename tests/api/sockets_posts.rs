//! Authors receive the results of their posts over Socket.IO, on every replica.

use serde_json::{Value, json};

use crate::support::{Platforms, PostFixture, Sockets, TestApp};

#[tokio::test]
async fn authors_receive_the_outcome_of_a_post_once_on_every_replica() {
    let Some(sockets) = Sockets::start() else { return };
    let platforms = Platforms::start().await;
    // Without this permission X accepts no post.
    platforms.rewrite(|text| text.replace(" \"tweet.write\",", ""));
    let arguments = platforms.arguments();
    let replicas = TestApp::replicas(2, &arguments.each_ref().map(String::as_str)).await;
    let fixture = PostFixture::open(&replicas[0], &["mastodon", "linkedin", "x"]).await;
    let eve = replicas[0].user("eve").await;
    let tabs = [sockets.connect(&replicas[0], &fixture.author.token).await, sockets.connect(&replicas[1], &fixture.author.token).await];
    let stranger = sockets.connect(&replicas[1], &eve.token).await;
    // One platform accepts the post, one refuses it permanently, and one fails at every attempt.
    platforms.turn("linkedin", json!({ "outage": "error" })).await;
    let id = fixture.post("Hello", &["mastodon", "linkedin", "x"]).await;
    for (platform, status) in [("mastodon", "delivered"), ("linkedin", "failed"), ("x", "failed")] {
        let delivery = fixture.until_hurried(&id, platform, status).await;
        let (event, expected) = match status {
            "delivered" => ("post:delivered", json!({ "post_id": id, "platform": platform, "url": delivery["url"] })),
            _ => ("post:failed", json!({ "post_id": id, "platform": platform, "reason": delivery["last_error"] })),
        };
        for tab in &tabs {
            let payload = tab.until(event, |payload| payload["platform"] == platform).await;
            assert_eq!(payload, expected);
        }
    }
    for tab in &tabs {
        assert_eq!((tab.events("post:delivered").len(), tab.events("post:failed").len()), (1, 2));
    }
    assert_eq!([stranger.events("post:delivered"), stranger.events("post:failed")], [Vec::<Value>::new(), Vec::new()]);
}
