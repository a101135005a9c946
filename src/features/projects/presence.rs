//! Who is in a project: the users whose sockets are subscribed to it, on any replica.
//!
//! Nothing of this is stored. Each replica tells the others who is there at its own sockets, when that changes and every few
//! seconds, and remembers for a while what others tell of the projects to which it has subscribers. So who leaves is gone at
//! once, a replica that dies takes its users along after [`MEMORY`], and while Redis is away each replica knows its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::metrics::labels::EventOut;
use crate::realtime::{Client, Realtime, Room, Topic};

/// Between two times that a replica tells who is there though nothing has changed.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// How long the word of a replica holds.
const MEMORY: Duration = Duration::from_secs(15);
/// How soon it is seen that a word does not hold any more.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Projects of one word.
const AT_ONCE: usize = 100;

/// Somebody in a project. Names of accounts are what they were at the subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Present {
    user_id: Uuid,
    display_name: String,
}

/// Users by their identifiers, and what they are called.
type Users = BTreeMap<Uuid, String>;

/// What one replica says of its own sockets.
#[derive(Debug, Serialize, Deserialize)]
struct Word {
    replica: Uuid,
    projects: Vec<Presents>,
    /// Whether the others are asked for theirs.
    asks: bool,
}

/// Who is in a project; also what clients are told.
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

/// Who is in which project, as one replica knows it; clones share it.
#[derive(Clone)]
pub struct Presence(Arc<Inner>);

struct Inner {
    realtime: Realtime,
    /// Projects to which this replica has subscribers, or had until it tells so.
    projects: Mutex<HashMap<Uuid, Known>>,
    stirred: Notify,
}

/// What is known of one project.
#[derive(Default)]
struct Known {
    /// At this replica's sockets, and at how many.
    here: BTreeMap<Uuid, (String, usize)>,
    /// At other replicas, and when those last said so.
    elsewhere: HashMap<Uuid, (Users, Instant)>,
    /// What subscribers were told last.
    told: Users,
    /// What the other replicas do not know yet.
    news: Option<News>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// Others are at this replica's sockets.
    Changed,
    /// It has its first subscriber, and knows nothing of other replicas.
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

    /// What subscribers are to be told, unless they were.
    fn change(&mut self) -> Option<&Users> {
        let now = self.everywhere();
        if now == self.told {
            return None;
        }
        self.told = now;
        Some(&self.told)
    }
}

/// Keeps a user present at one socket until it is dropped.
pub struct Here {
    presence: Presence,
    project: Uuid,
    user: Uuid,
}

impl Drop for Here {
    fn drop(&mut self) {
        self.presence.leave(self.project, self.user);
    }
}

impl Presence {
    pub(super) fn new(realtime: Realtime) -> Self {
        Self(Arc::new(Inner { realtime, projects: Mutex::default(), stirred: Notify::new() }))
    }

    /// One more socket of a user in a project.
    pub(super) fn enter(&self, project: Uuid, user: Uuid, name: &str) -> Here {
        let mut projects = self.projects();
        let known = projects.entry(project).or_default();
        let is_first = known.here.is_empty();
        let (_, sockets) = known.here.entry(user).or_insert_with(|| (name.to_owned(), 0));
        *sockets += 1;
        if *sockets == 1 {
            known.news = Some(if is_first { News::First } else { known.news.unwrap_or(News::Changed) });
            self.0.stirred.notify_one();
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
            known.news = known.news.or(Some(News::Changed));
            self.0.stirred.notify_one();
        }
    }

    /// Tells a client who has subscribed who is there, and the others as well when it is news to them.
    pub(super) fn tell(&self, project: Uuid, client: &Client) {
        let mut projects = self.projects();
        let Some(known) = projects.get_mut(&project) else { return };
        if !self.tell_change(project, known) {
            let _slow = client.emit(EventOut::Presence, &Presents::new(project, &known.told));
        }
    }

    /// Tells the subscribers at this replica, if who is there has changed. Under the lock, so that what is told last is true last.
    fn tell_change(&self, project: Uuid, known: &mut Known) -> bool {
        let change = known.change().map(|users| Presents::new(project, users));
        if let Some(presents) = &change {
            self.0.realtime.emit_here(&[Room::Project(project)], EventOut::Presence, presents);
        }
        change.is_some()
    }

    /// Tells the other replicas and hears them, for ever.
    pub async fn share(self) {
        let mut signals = self.0.realtime.signals(Topic::Presence);
        let (mut tells, mut looks) = (tokio::time::interval(TELL_EVERY), tokio::time::interval(LOOK_EVERY));
        tells.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.0.stirred.notified() => self.tell_news(),
                signal = signals.recv() => self.hear(signal.unwrap_or_default()),
                _ = tells.tick() => self.tell_all(),
                _ = looks.tick() => self.forget(),
            }
        }
    }

    fn tell_news(&self) {
        let mut projects = self.projects();
        let (mut changed, mut first) = (Vec::new(), Vec::new());
        for (project, known) in projects.iter_mut() {
            let Some(news) = known.news.take() else { continue };
            self.tell_change(*project, known);
            let words = if news == News::First { &mut first } else { &mut changed };
            words.push(Presents::new(*project, &known.here()));
        }
        projects.retain(|_, known| !known.here.is_empty());
        drop(projects);
        self.say(changed, false);
        self.say(first, true);
    }

    fn tell_all(&self) {
        let all = self.projects().iter().map(|(project, known)| Presents::new(*project, &known.here())).collect();
        self.say(all, false);
    }

    fn say(&self, mut projects: Vec<Presents>, asks: bool) {
        let realtime = &self.0.realtime;
        while !projects.is_empty() {
            let rest = projects.split_off(projects.len().min(AT_ONCE));
            realtime.signal(Topic::Presence, &Word { replica: realtime.replica(), projects, asks });
            projects = rest;
        }
    }

    fn hear(&self, signal: Value) {
        // Another version may say what this one does not know.
        let Ok(Word { replica, projects: said, asks }) = serde_json::from_value(signal) else { return };
        if replica == self.0.realtime.replica() {
            return;
        }
        let mut answers = Vec::new();
        let mut projects = self.projects();
        for Presents { project_id, users } in said {
            let Some(known) = projects.get_mut(&project_id).filter(|known| !known.here.is_empty()) else { continue };
            let users: Users = users.into_iter().map(|present| (present.user_id, present.display_name)).collect();
            if users.is_empty() {
                known.elsewhere.remove(&replica);
            } else {
                known.elsewhere.insert(replica, (users, Instant::now()));
            }
            self.tell_change(project_id, known);
            answers.push(Presents::new(project_id, &known.here()));
        }
        drop(projects);
        if asks {
            self.say(answers, false);
        }
    }

    /// Forgets what replicas said that have said nothing since.
    fn forget(&self) {
        for (project, known) in self.projects().iter_mut() {
            let before = known.elsewhere.len();
            known.elsewhere.retain(|_, (_, said)| said.elapsed() < MEMORY);
            if known.elsewhere.len() < before {
                self.tell_change(*project, known);
            }
        }
    }

    fn projects(&self) -> MutexGuard<'_, HashMap<Uuid, Known>> {
        self.0.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
