//! Projects over Socket.IO: a member subscribes to one, is told what becomes of it and who else is there, and is told no
//! more when it may not see it any more.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::events;
use super::model::Action;
use super::service::Projects;
use crate::cache::Stale;
use crate::db::StoreError;
use crate::features::accounts::CurrentUser;
use crate::http::ApiError;
use crate::metrics::labels::{CacheType, EventIn};
use crate::realtime::{Client, Done, Events, Realtime, Room, Topic, Work};
use crate::state::AppState;

/// How soon a lost project is found that nothing told of.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The events of this file.
pub fn sockets() -> Events {
    Events::default().on(EventIn::ProjectSubscribe, subscribe).on(EventIn::ProjectUnsubscribe, unsubscribe)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    project_id: Uuid,
}

async fn subscribe(state: AppState, client: Client, Named { project_id: id }: Named) -> Result<Done, ApiError> {
    let CurrentUser { user, .. } = CurrentUser::of(&state, &client).await?;
    let (projects, room) = (&state.projects, Room::Project(id));
    projects.permit(&user, id, Action::Enter).await?;
    client.join(room);
    // Once more, now that a loss of the project would be heard.
    if let Err(error) = projects.permit(&user, id, Action::Enter).await {
        client.leave(room);
        return Err(error.into());
    }
    let here = projects.presence().enter(id, user.id, &user.display_name);
    client.hold(Work::Presence(id), async move {
        let _here = here;
        std::future::pending::<()>().await;
    });
    if client.is_in(room) {
        projects.presence().tell(id, &client);
    } else {
        // It was taken out just now, and what it was in then.
        client.leave(room);
    }
    Ok(Done {})
}

async fn unsubscribe(_: AppState, client: Client, Named { project_id }: Named) -> Result<Done, ApiError> {
    client.leave(Room::Project(project_id));
    Ok(Done {})
}

/// Ends, for ever, subscriptions of this replica's clients to projects, and to what is in them, that they may not see any more.
pub async fn watch_access(projects: Projects, realtime: Realtime) {
    let mut signals = realtime.signals(Topic::AccessChanged);
    // Postgres tells of a change as well, for the case that the replica that made it cannot reach Redis.
    let mut invalidated = projects.invalidated();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // A signal that is not understood, or was missed, is about any project.
        let only = tokio::select! {
            signal = signals.recv() => signal.ok().and_then(|project| serde_json::from_value(project).ok()).map(|id| HashSet::from([id])),
            stale = invalidated.recv() => stale.ok().map(|stale| projects_of(&stale)),
            _ = looks.tick() => None,
        };
        let _next_look_is_soon = look(&projects, &realtime, only.as_ref()).await;
    }
}

/// The projects among these.
fn projects_of(stale: &[Stale]) -> HashSet<Uuid> {
    stale.iter().filter(|stale| stale.cache == CacheType::Project).filter_map(|stale| stale.entry.parse().ok()).collect()
}

async fn look(projects: &Projects, realtime: &Realtime, only: Option<&HashSet<Uuid>>) -> Result<(), StoreError> {
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
