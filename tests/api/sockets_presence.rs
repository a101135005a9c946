//! Presence in a project, as its members see it across replicas.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::through;
use crate::support::{Mode, Proxy, Socket, Sockets, Stores, TestApp, User};

/// A dead replica's users disappear fifteen seconds after its last message; the rest is for a busy machine.
const EXPIRY_LIMIT: Duration = Duration::from_secs(25);
/// Time limit for an announced change. A dead replica's presence is kept for longer than this, at least ten seconds, so a change within
/// this limit cannot be an expiry.
const ANNOUNCE_LIMIT: Duration = Duration::from_secs(9);

/// Users who are all members of one project.
struct Crowd {
    users: Vec<User>,
    project: String,
}

impl Crowd {
    async fn of(app: &TestApp, names: &[&str]) -> Self {
        let mut users = Vec::new();
        for name in names {
            users.push(app.user(name).await);
        }
        let project = app.project(&users[0], "One", "private").await["id"].as_str().unwrap().to_owned();
        for user in &users[1..] {
            assert_eq!(app.add_member(&users[0], &project, user, "viewer").await.status, 201);
        }
        Self { users, project }
    }

    /// Connects a user's client to a replica and subscribes the client to the project.
    async fn enter(&self, sockets: &Sockets, app: &TestApp, user: usize) -> Socket {
        let socket = sockets.connect(app, &self.users[user].token).await;
        assert_eq!(socket.emit("project:subscribe", json!({ "project_id": self.project })).await, json!({}));
        socket
    }

    /// The payload of the event that lists exactly these users as present.
    fn presence(&self, users: &[usize]) -> Value {
        let mut ids: Vec<&str> = users.iter().map(|user| self.users[*user].id.as_str()).collect();
        ids.sort_unstable();
        let users: Vec<Value> = ids.iter().map(|id| json!({ "user_id": id, "display_name": "Somebody" })).collect();
        json!({ "project_id": self.project, "users": users })
    }

    /// Waits until the client's last event lists exactly these users as present.
    async fn until(&self, limit: Duration, socket: &Socket, users: &[usize]) {
        let wanted = self.presence(users);
        crate::support::within(limit, &format!("{users:?} are present"), async || {
            let events = socket.events("presence");
            (events.last() == Some(&wanted)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn every_user_is_present_once_regardless_of_tabs_and_replicas() {
    let Some(sockets) = Sockets::start() else { return };
    let replicas = TestApp::replicas(3, &[]).await;
    let crowd = Crowd::of(&replicas[0], &["ada", "bob", "cleo"]).await;
    let bob = crowd.enter(&sockets, &replicas[0], 1).await;
    crowd.until(ANNOUNCE_LIMIT, &bob, &[1]).await;
    let first = crowd.enter(&sockets, &replicas[0], 0).await;
    crowd.until(ANNOUNCE_LIMIT, &bob, &[0, 1]).await;
    let second = crowd.enter(&sockets, &replicas[1], 0).await;
    crowd.until(ANNOUNCE_LIMIT, &second, &[0, 1]).await;
    let cleo = crowd.enter(&sockets, &replicas[2], 2).await;
    for socket in [&bob, &first, &second, &cleo] {
        crowd.until(ANNOUNCE_LIMIT, socket, &[0, 1, 2]).await;
    }
    first.leave().await;
    assert_eq!(cleo.emit("project:unsubscribe", json!({ "project_id": crowd.project })).await, json!({}));
    crowd.until(ANNOUNCE_LIMIT, &bob, &[0, 1]).await;
    second.leave().await;
    crowd.until(ANNOUNCE_LIMIT, &bob, &[1]).await;
    // Other users receive no event when a user opens a second tab, or closes one of two tabs.
    let seen: Vec<Value> = [&[1][..], &[0, 1], &[0, 1, 2], &[0, 1], &[1]].map(|users| crowd.presence(users)).into();
    assert_eq!(bob.events("presence"), seen);
}

#[tokio::test]
async fn an_unchanged_list_of_present_users_is_sent_only_to_the_new_client() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let crowd = Crowd::of(&app, &["ada", "bob"]).await;
    let ada = crowd.enter(&sockets, &app, 0).await;
    let bob = crowd.enter(&sockets, &app, 1).await;
    let tab = crowd.enter(&sockets, &app, 1).await;
    for socket in [&ada, &bob, &tab] {
        crowd.until(ANNOUNCE_LIMIT, socket, &[0, 1]).await;
    }
    assert_eq!([ada.events("presence").len(), bob.events("presence").len(), tab.events("presence").len()], [2, 1, 1]);
    // The user has two tabs, so closing one is no change.
    bob.leave().await;
    tab.leave().await;
    crowd.until(ANNOUNCE_LIMIT, &ada, &[0]).await;
    assert_eq!(ada.events("presence").len(), 3);
}

#[tokio::test]
async fn users_of_a_stopping_replica_are_removed_at_once_and_users_of_a_dead_one_soon() {
    let Some(sockets) = Sockets::start() else { return };
    let mut replicas = TestApp::replicas(3, &[]).await;
    let crowd = Crowd::of(&replicas[0], &["ada", "bob", "cleo"]).await;
    let ada = crowd.enter(&sockets, &replicas[0], 0).await;
    let _bob = crowd.enter(&sockets, &replicas[1], 1).await;
    let _cleo = crowd.enter(&sockets, &replicas[2], 2).await;
    crowd.until(ANNOUNCE_LIMIT, &ada, &[0, 1, 2]).await;
    replicas.remove(2).leave().await.unwrap();
    crowd.until(ANNOUNCE_LIMIT, &ada, &[0, 1]).await;
    drop(replicas.remove(1));
    crowd.until(EXPIRY_LIMIT, &ada, &[0]).await;
    let seen: Vec<Value> = [&[0][..], &[0, 1], &[0, 1, 2], &[0, 1], &[0]].map(|users| crowd.presence(users)).into();
    assert_eq!(ada.events("presence"), seen);
}

#[tokio::test]
async fn without_redis_a_replica_lists_only_its_own_users_until_redis_returns() {
    let Some(sockets) = Sockets::start() else { return };
    let stores = Stores::new().await;
    let redis = Proxy::before(&stores.redis_url(), Mode::Pass).await;
    let a = TestApp::on(&stores, &[&through("redis-url", &stores.redis_url(), redis.address)]).await;
    let b = TestApp::on(&stores, &[]).await;
    for app in [&a, &b] {
        app.until_connected_to_bus().await;
    }
    let crowd = Crowd::of(&b, &["ada", "bob", "cleo"]).await;
    let (ada, bob) = (crowd.enter(&sockets, &a, 0).await, crowd.enter(&sockets, &b, 1).await);
    for socket in [&ada, &bob] {
        crowd.until(ANNOUNCE_LIMIT, socket, &[0, 1]).await;
    }
    redis.set(Mode::Refuse).await;
    let cleo = crowd.enter(&sockets, &a, 2).await;
    for (socket, users) in [(&ada, [0, 2]), (&cleo, [0, 2])] {
        crowd.until(EXPIRY_LIMIT, socket, &users).await;
    }
    crowd.until(EXPIRY_LIMIT, &bob, &[1]).await;
    redis.set(Mode::Pass).await;
    for socket in [&ada, &bob, &cleo] {
        crowd.until(EXPIRY_LIMIT, socket, &[0, 1, 2]).await;
    }
}
