//! Presence: the users with connections subscribed to a project, on any replica.
//!
//! Presence is not stored. Each replica publishes the users of its own connections, on every change and every few seconds. It remembers,
//! for a limited time, what other replicas publish about the projects to which it has subscribers. A user who leaves therefore disappears
//! at once, the users of a replica that dies disappear after [`LIFETIME`], and while Redis is unavailable each replica knows only its own
//! users.

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

/// Interval of publications without a change.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(5);
/// Time after which another replica's message expires.
const LIFETIME: Duration = Duration::from_secs(15);
/// Poll interval for expired messages.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of projects per message.
const MAX_PROJECTS: usize = 100;

/// A user in a project. The name is that of the time of the subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Present {
    user_id: Uuid,
    display_name: String,
}

/// Display names by user.
type Users = BTreeMap<Uuid, String>;

/// A replica's message about its own connections.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    replica: Uuid,
    projects: Vec<Presents>,
    /// Whether the receivers shall answer with their own users of these projects.
    asks: bool,
}

/// The users in a project. Also the payload of the event to clients.
#[derive(Debug, Serialize, Deserialize)]
struct Presents {
    project_id: Uuid,
    users: Vec<Present>,
}

impl Presents {
    fn new(project_id: Uuid, users: &Users) -> Self {
        let users = users.iter().map(|(user_id, name)| Present { user_id: *user_id, display_name: name.clone() });
        Self { project_id, users: users.collect() }
    }
}

/// Presence as this replica knows it. Clones share it.
#[derive(Clone)]
pub struct Presence(Arc<Inner>);

struct Inner {
    realtime: Realtime,
    /// Projects with subscribers on this replica, and those that lost the last one but have not published that yet.
    projects: Mutex<HashMap<Uuid, Known>>,
    changed_here: Notify,
}

/// Presence in one project.
#[derive(Default)]
struct Known {
    /// Users of this replica's connections: name, and number of connections.
    here: BTreeMap<Uuid, (String, usize)>,
    /// Users by other replica, and the time of that replica's last message.
    elsewhere: HashMap<Uuid, (Users, Instant)>,
    /// Users that subscribers were last notified of.
    notified: Users,
    /// Change that is still to be published to the other replicas.
    unpublished: Option<Change>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// The set of this replica's users has changed.
    Changed,
    /// The first subscriber on this replica; the users on other replicas are not known yet.
    First,
}

impl Known {
    fn here(&self) -> Users {
        self.here.iter().map(|(user, (name, _))| (*user, name.clone())).collect()
    }

    fn everywhere(&self) -> Users {
        let elsewhere = self.elsewhere.values().flat_map(|(users, _)| users.clone());
        elsewhere.chain(self.here()).collect()
    }

    /// The users to notify subscribers of, if they have changed since the last notification.
    fn take_change(&mut self) -> Option<&Users> {
        let now = self.everywhere();
        if now == self.notified {
            return None;
        }
        self.notified = now;
        Some(&self.notified)
    }
}

/// A user's presence through one connection, which ends on drop.
pub struct Here {
    presence: Presence,
    project: Uuid,
    user: Uuid,
}

impl Here {
    /// Lasts until the future is dropped.
    pub(super) async fn last(self) {
        let _here = self;
        std::future::pending::<()>().await;
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.presence.leave(self.project, self.user);
    }
}

impl Presence {
    pub(super) fn new(realtime: Realtime) -> Self {
        Self(Arc::new(Inner { realtime, projects: Mutex::default(), changed_here: Notify::new() }))
    }

    /// Registers a connection of a user in a project.
    pub(super) fn enter(&self, project: Uuid, user: Uuid, name: &str) -> Here {
        let mut projects = self.projects();
        let known = projects.entry(project).or_default();
        let is_first = known.here.is_empty();
        let (_, sockets) = known.here.entry(user).or_insert_with(|| (name.to_owned(), 0));
        *sockets += 1;
        if *sockets == 1 {
            known.unpublished = Some(if is_first { Change::First } else { known.unpublished.unwrap_or(Change::Changed) });
            self.0.changed_here.notify_one();
        }
        Here { presence: self.clone(), project, user }
    }

    fn leave(&self, project: Uuid, user: Uuid) {
        let mut projects = self.projects();
        let Some(known) = projects.get_mut(&project) else { return };
        let Some((_, sockets)) = known.here.get_mut(&user) else { return };
        *sockets -= 1;
        if *sockets == 0 {
            known.here.remove(&user);
            known.unpublished = known.unpublished.or(Some(Change::Changed));
            self.0.changed_here.notify_one();
        }
    }

    /// Notifies a new subscriber of the users present. Notifies the other local subscribers, too, if the set has changed.
    pub(super) fn notify(&self, project: Uuid, client: &Client) {
        let mut projects = self.projects();
        let Some(known) = projects.get_mut(&project) else { return };
        if !self.notify_change(project, known) {
            let _slow = client.emit(EventOut::Presence, &Presents::new(project, &known.notified));
        }
    }

    /// Notifies the local subscribers if the set of users has changed. Called under the lock, so that notifications are in order.
    fn notify_change(&self, project: Uuid, known: &mut Known) -> bool {
        let change = known.take_change().map(|users| Presents::new(project, users));
        if let Some(presents) = &change {
            self.0.realtime.emit_here(&[Room::Project(project)], EventOut::Presence, presents);
        }
        change.is_some()
    }

    /// Publishes to other replicas and handles their messages. Runs until the task is dropped.
    pub async fn share(self) {
        let mut signals = self.0.realtime.signals(Topic::Presence);
        let (mut reports, mut polls) = (ticks(PUBLISH_INTERVAL), ticks(POLL_INTERVAL));
        loop {
            tokio::select! {
                () = self.0.changed_here.notified() => self.publish_changes(),
                signal = signals.recv() => self.handle(signal.unwrap_or_default()),
                _ = reports.tick() => self.publish_all(),
                _ = polls.tick() => self.forget(),
            }
        }
    }

    fn publish_changes(&self) {
        let mut projects = self.projects();
        let (mut changed, mut first) = (Vec::new(), Vec::new());
        for (project, known) in projects.iter_mut() {
            let Some(change) = known.unpublished.take() else { continue };
            self.notify_change(*project, known);
            let presents = if change == Change::First { &mut first } else { &mut changed };
            presents.push(Presents::new(*project, &known.here()));
        }
        projects.retain(|_, known| !known.here.is_empty());
        drop(projects);
        self.publish(changed, false);
        self.publish(first, true);
    }

    fn publish_all(&self) {
        let all = self.projects().iter().map(|(project, known)| Presents::new(*project, &known.here())).collect();
        self.publish(all, false);
    }

    fn publish(&self, mut projects: Vec<Presents>, asks: bool) {
        let realtime = &self.0.realtime;
        while !projects.is_empty() {
            let rest = projects.split_off(projects.len().min(MAX_PROJECTS));
            realtime.signal(Topic::Presence, &Message { replica: realtime.replica(), projects, asks });
            projects = rest;
        }
    }

    fn handle(&self, signal: Value) {
        // Another version may send a message that this version does not understand.
        let Ok(Message { replica, projects: received, asks }) = serde_json::from_value(signal) else { return };
        if replica == self.0.realtime.replica() {
            return;
        }
        let mut answers = Vec::new();
        let mut projects = self.projects();
        for Presents { project_id, users } in received {
            let Some(known) = projects.get_mut(&project_id).filter(|known| !known.here.is_empty()) else { continue };
            let users: Users = users.into_iter().map(|present| (present.user_id, present.display_name)).collect();
            if users.is_empty() {
                known.elsewhere.remove(&replica);
            } else {
                known.elsewhere.insert(replica, (users, Instant::now()));
            }
            self.notify_change(project_id, known);
            answers.push(Presents::new(project_id, &known.here()));
        }
        drop(projects);
        if asks {
            self.publish(answers, false);
        }
    }

    /// Removes expired messages of other replicas.
    fn forget(&self) {
        for (project, known) in self.projects().iter_mut() {
            let before = known.elsewhere.len();
            known.elsewhere.retain(|_, (_, received)| received.elapsed() < LIFETIME);
            if known.elsewhere.len() < before {
                self.notify_change(*project, known);
            }
        }
    }

    fn projects(&self) -> MutexGuard<'_, HashMap<Uuid, Known>> {
        self.0.projects.lock()
    }
}
