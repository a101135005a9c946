//! Projects over Socket.IO. Members and admins subscribe to a project's changes and presence. A subscription ends when its user loses
//! access to the project.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Deserialize;
use uuid::Uuid;

use super::events;
use super::model::Action;
use super::service::Projects;
use crate::cache::Stale;
use crate::db::StoreError;
use crate::features::accounts::CurrentUser;
use crate::http::ApiError;
use crate::metrics::labels::{CacheType, EventIn};
use crate::realtime::{Client, Done, Events, Realtime, Room, Topic};
use crate::state::AppState;
use crate::tasks::ticks;

/// Poll interval of the access check. If no signal arrives, a subscription ends at most this long after its user loses access.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The Socket.IO events of projects.
pub fn sockets(state: &AppState) -> Events {
    Events::default().on(EventIn::ProjectSubscribe, state, subscribe).on(EventIn::ProjectUnsubscribe, state, unsubscribe)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    project_id: Uuid,
}

async fn subscribe(state: AppState, client: Client, Subscription { project_id: id }: Subscription) -> Result<Done, ApiError> {
    let CurrentUser { user, .. } = CurrentUser::of(&state, &client).await?;
    let (projects, room) = (&state.projects, Room::Project(id));
    projects.permit(&user, id, Action::Enter).await?;
    let enter = || projects.presence().enter(id, user.id, &user.display_name).last();
    client.subscribe(room, async || projects.permit(&user, id, Action::Enter).await, enter).await?;
    if client.is_in(room) {
        projects.presence().notify(id, &client);
    }
    Ok(Done {})
}

async fn unsubscribe(_: AppState, client: Client, Subscription { project_id }: Subscription) -> Result<Done, ApiError> {
    client.leave(Room::Project(project_id));
    Ok(Done {})
}

/// Ends a client's subscriptions to a project and its environments when the client's user loses access. Handles the clients of this
/// replica. Runs until the task is aborted.
pub async fn watch_access(projects: Projects, realtime: Realtime) {
    let mut signals = realtime.signals(Topic::AccessChanged);
    // Cache invalidations come from Postgres. They are needed because a replica that cannot reach Redis sends no signal to other replicas.
    let mut invalidated = projects.invalidated();
    let mut polls = ticks(POLL_INTERVAL);
    loop {
        // `None` checks every project: at each poll, after a missed or unreadable signal, and after a missed invalidation.
        let only = tokio::select! {
            signal = signals.recv() => signal.ok().and_then(|project| serde_json::from_value(project).ok()).map(|id| HashSet::from([id])),
            stale = invalidated.recv() => stale.ok().map(|stale| projects_of(&stale)),
            _ = polls.tick() => None,
        };
        let _next_poll_is_soon = poll(&projects, &realtime, only.as_ref()).await;
    }
}

/// The projects among these cache entries.
fn projects_of(stale: &[Stale]) -> HashSet<Uuid> {
    stale.iter().filter(|stale| stale.cache == CacheType::Project).filter_map(|stale| stale.entry.parse().ok()).collect()
}

async fn poll(projects: &Projects, realtime: &Realtime, only: Option<&HashSet<Uuid>>) -> Result<(), StoreError> {
    if only.is_some_and(HashSet::is_empty) {
        return Ok(());
    }
    let mut subscribed: HashMap<(Uuid, Uuid), Vec<Client>> = HashMap::new();
    for client in realtime.clients() {
        let user = client.identity().user;
        let mut of: Vec<Uuid> = client.rooms().into_iter().filter_map(Room::project).collect();
        of.sort_unstable();
        of.dedup();
        for project in of.into_iter().filter(|project| only.is_none_or(|only| only.contains(project))) {
            subscribed.entry((user, project)).or_default().push(client.clone());
        }
    }
    if subscribed.is_empty() {
        return Ok(());
    }
    let (users, ids): (Vec<Uuid>, Vec<Uuid>) = subscribed.keys().copied().unzip();
    for (user, project) in projects.outsiders_among(&users, &ids).await? {
        for client in subscribed.remove(&(user, project)).unwrap_or_default() {
            client.rooms().into_iter().filter(|room| room.project() == Some(project)).for_each(|room| client.leave(room));
            events::access_lost(&client, project);
        }
    }
    Ok(())
}
