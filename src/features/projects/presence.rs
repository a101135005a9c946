//! Presence: the users whose connections are subscribed to a project, on any replica.
//!
//! Presence is not stored. Each replica publishes the users of its own connections after every change and every few seconds. It keeps the
//! last message of every other replica for [`LIFETIME`], but only for the projects to which its own clients subscribe. A user who leaves
//! disappears immediately, because the replica publishes a new message without this user. The users of a dead replica disappear after
//! [`LIFETIME`]. If Redis is unavailable for longer than [`LIFETIME`], each replica knows only its own users.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::metrics::labels::EventOut;
use crate::realtime::{Client, Realtime, Room, Topic};
use crate::tasks::ticks;

/// Interval at which a replica publishes all its users, even without a change.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(5);
/// Time after which another replica's message expires.
const LIFETIME: Duration = Duration::from_secs(15);
/// Interval of the check for expired messages.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of projects per message.
const MAX_PROJECTS: usize = 100;

/// A user in a project. A replica keeps the display name that it read for the user's first connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PresentUser {
    user_id: Uuid,
    display_name: String,
}

/// Display names by user.
type Users = BTreeMap<Uuid, String>;

/// A replica's message about its own connections.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    replica: Uuid,
    projects: Vec<ProjectUsers>,
    /// Whether the receivers must answer with their own users of these projects.
    asks: bool,
}

/// The users in a project. Also the payload of the event to clients.
#[derive(Debug, Serialize, Deserialize)]
struct ProjectUsers {
    project_id: Uuid,
    users: Vec<PresentUser>,
}

impl ProjectUsers {
    fn new(project_id: Uuid, users: &Users) -> Self {
        let users = users.iter().map(|(user_id, name)| PresentUser { user_id: *user_id, display_name: name.clone() });
        Self { project_id, users: users.collect() }
    }
}

/// The presence that this replica knows of; clones share it.
#[derive(Clone)]
pub struct Presence(Arc<Inner>);

struct Inner {
    realtime: Realtime,
    /// Projects with subscribers on this replica. A project whose last subscriber has left is removed once that change is published.
    projects: Mutex<HashMap<Uuid, ProjectPresence>>,
    local_change: Notify,
}

/// Presence in one project.
#[derive(Default)]
struct ProjectPresence {
    /// Users of this replica's connections: name, and number of connections.
    local: BTreeMap<Uuid, (String, usize)>,
    /// Users on every other replica, and the arrival time of the replica's last message.
    remote: HashMap<Uuid, (Users, Instant)>,
    /// Users in the last notification to subscribers.
    notified: Users,
    /// A change that is not yet published to the other replicas.
    unpublished: Option<Change>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// The set of this replica's users has changed.
    Changed,
    /// The first user on this replica has subscribed; the users on other replicas are not known yet.
    First,
}

impl ProjectPresence {
    fn local_users(&self) -> Users {
        self.local.iter().map(|(user, (name, _))| (*user, name.clone())).collect()
    }

    fn all_users(&self) -> Users {
        let remote = self.remote.values().flat_map(|(users, _)| users.clone());
        remote.chain(self.local_users()).collect()
    }

    /// Returns the users on all replicas if they differ from the last notification, and marks them as notified.
    fn take_change(&mut self) -> Option<&Users> {
        let now = self.all_users();
        if now == self.notified {
            return None;
        }
        self.notified = now;
        Some(&self.notified)
    }
}

/// A user's presence through one connection. It ends when this guard is dropped.
pub struct PresenceGuard {
    presence: Presence,
    project: Uuid,
    user: Uuid,
}

impl PresenceGuard {
    /// Keeps the guard until the future is dropped.
    pub(super) async fn last(self) {
        let _guard = self;
        std::future::pending::<()>().await;
    }
}

impl Drop for PresenceGuard {
    fn drop(&mut self) {
        self.presence.leave(self.project, self.user);
    }
}

impl Presence {
    pub(super) fn new(realtime: Realtime) -> Self {
        Self(Arc::new(Inner { realtime, projects: Mutex::default(), local_change: Notify::new() }))
    }

    /// Registers a connection of a user in a project.
    pub(super) fn enter(&self, project: Uuid, user: Uuid, name: &str) -> PresenceGuard {
        let mut projects = self.projects();
        let known = projects.entry(project).or_default();
        let is_first = known.local.is_empty();
        let (_, connections) = known.local.entry(user).or_insert_with(|| (name.to_owned(), 0));
        *connections += 1;
        if *connections == 1 {
            known.unpublished = Some(if is_first { Change::First } else { known.unpublished.unwrap_or(Change::Changed) });
            self.0.local_change.notify_one();
        }
        PresenceGuard { presence: self.clone(), project, user }
    }

    fn leave(&self, project: Uuid, user: Uuid) {
        let mut projects = self.projects();
        let Some(known) = projects.get_mut(&project) else { return };
        let Some((_, connections)) = known.local.get_mut(&user) else { return };
        *connections -= 1;
        if *connections == 0 {
            known.local.remove(&user);
            known.unpublished = known.unpublished.or(Some(Change::Changed));
            self.0.local_change.notify_one();
        }
    }

    /// Sends the present users to a new subscriber or, if they have changed, to every local subscriber.
    pub(super) fn notify(&self, project: Uuid, client: &Client) {
        let mut projects = self.projects();
        let Some(known) = projects.get_mut(&project) else { return };
        if !self.notify_change(project, known) {
            let _slow = client.emit(EventOut::Presence, &ProjectUsers::new(project, &known.notified));
        }
    }

    /// Notifies the local subscribers if the set of users has changed. The caller holds the lock, so that notifications stay in order.
    fn notify_change(&self, project: Uuid, known: &mut ProjectPresence) -> bool {
        let change = known.take_change().map(|users| ProjectUsers::new(project, users));
        if let Some(users) = &change {
            self.0.realtime.emit_here(&[Room::Project(project)], EventOut::Presence, users);
        }
        change.is_some()
    }

    /// Publishes local users to the other replicas, and handles the messages of those replicas. Runs until the task is aborted.
    pub async fn share(self) {
        let mut signals = self.0.realtime.signals(Topic::Presence);
        let (mut publications, mut polls) = (ticks(PUBLISH_INTERVAL), ticks(POLL_INTERVAL));
        loop {
            tokio::select! {
                () = self.0.local_change.notified() => self.publish_changes(),
                signal = signals.recv() => self.handle(signal.unwrap_or_default()),
                _ = publications.tick() => self.publish_all(),
                _ = polls.tick() => self.remove_expired(),
            }
        }
    }

    fn publish_changes(&self) {
        let mut projects = self.projects();
        let (mut changed, mut first) = (Vec::new(), Vec::new());
        for (project, known) in projects.iter_mut() {
            let Some(change) = known.unpublished.take() else { continue };
            self.notify_change(*project, known);
            let batch = if change == Change::First { &mut first } else { &mut changed };
            batch.push(ProjectUsers::new(*project, &known.local_users()));
        }
        projects.retain(|_, known| !known.local.is_empty());
        drop(projects);
        self.publish(changed, false);
        self.publish(first, true);
    }

    fn publish_all(&self) {
        let all = self.projects().iter().map(|(project, known)| ProjectUsers::new(*project, &known.local_users())).collect();
        self.publish(all, false);
    }

    fn publish(&self, mut projects: Vec<ProjectUsers>, asks: bool) {
        let realtime = &self.0.realtime;
        while !projects.is_empty() {
            let rest = projects.split_off(projects.len().min(MAX_PROJECTS));
            realtime.signal(Topic::Presence, &Message { replica: realtime.replica(), projects, asks });
            projects = rest;
        }
    }

    fn handle(&self, signal: Value) {
        // A replica with another version may send a message that this version cannot parse.
        let Ok(Message { replica, projects: received, asks }) = serde_json::from_value(signal) else { return };
        if replica == self.0.realtime.replica() {
            return;
        }
        let mut answers = Vec::new();
        let mut projects = self.projects();
        for ProjectUsers { project_id, users } in received {
            let Some(known) = projects.get_mut(&project_id).filter(|known| !known.local.is_empty()) else { continue };
            let users: Users = users.into_iter().map(|present| (present.user_id, present.display_name)).collect();
            if users.is_empty() {
                known.remote.remove(&replica);
            } else {
                known.remote.insert(replica, (users, Instant::now()));
            }
            self.notify_change(project_id, known);
            answers.push(ProjectUsers::new(project_id, &known.local_users()));
        }
        drop(projects);
        if asks {
            self.publish(answers, false);
        }
    }

    /// Removes expired messages of other replicas.
    fn remove_expired(&self) {
        for (project, known) in self.projects().iter_mut() {
            let before = known.remote.len();
            known.remote.retain(|_, (_, received)| received.elapsed() < LIFETIME);
            if known.remote.len() < before {
                self.notify_change(*project, known);
            }
        }
    }

    fn projects(&self) -> MutexGuard<'_, HashMap<Uuid, ProjectPresence>> {
        self.0.projects.lock()
    }
}
