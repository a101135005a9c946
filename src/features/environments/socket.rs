//! Environments over Socket.IO: subscribers receive status changes and log entries.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::service::Environments;
use super::state::Status;
use super::{logs, sessions};
use crate::db::StoreError;
use crate::domain::validation::Fields;
use crate::features::accounts::CurrentUser;
use crate::http::ApiError;
use crate::metrics::labels::EventIn;
use crate::realtime::{Client, Done, Events, Realtime, Room};
use crate::state::AppState;
use crate::tasks::ticks;

/// Poll interval for deleted environments. While the database is available, a subscription outlives its environment by at most this time.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The Socket.IO events of this feature.
pub fn sockets(state: &AppState) -> Events {
    Events::default()
        .on(EventIn::EnvSubscribe, state, subscribe)
        .on(EventIn::EnvUnsubscribe, state, unsubscribe)
        .merge(sessions::sockets(state))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    environment_id: Uuid,
    /// Number of the last log entry that the client has.
    last_seq: Option<i64>,
}

impl Subscription {
    fn check(&self) -> Result<(), ApiError> {
        let mut fields = Fields::default();
        if self.last_seq.is_some_and(|seq| seq < 0) {
            fields.refuse("last_seq", "out_of_range", "must be 0 or the number of an entry");
        }
        fields.finish(()).map_err(ApiError::validation)
    }
}

/// The acknowledgement: the status at the start of the subscription.
#[derive(Serialize)]
struct Subscribed {
    environment_id: Uuid,
    status: Status,
    last_error: Option<String>,
}

async fn subscribe(state: AppState, client: Client, body: Subscription) -> Result<Subscribed, ApiError> {
    body.check()?;
    let Subscription { environment_id: id, last_seq } = body;
    let CurrentUser { user, .. } = CurrentUser::of(&state, &client).await?;
    let project = state.environments.read(&user, id).await?.project_id;
    let room = Room::Environment { id, project };
    // Read again after joining the room, because status changes before that moment were not sent to this client.
    let read = async || state.environments.read(&user, id).await;
    let environment = client.subscribe(room, read, || logs::send_log(state.environments.live(), client.clone(), id, last_seq)).await?;
    Ok(Subscribed { environment_id: id, status: environment.status, last_error: environment.last_error })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Environment {
    environment_id: Uuid,
}

async fn unsubscribe(_: AppState, client: Client, Environment { environment_id }: Environment) -> Result<Done, ApiError> {
    for room in client.rooms() {
        if matches!(room, Room::Environment { id, .. } if id == environment_id) {
            client.leave(room);
        }
    }
    Ok(Done {})
}

/// Ends this replica's subscriptions to environments that no longer exist. Runs until the task is aborted.
pub async fn end_subscriptions(environments: Environments, realtime: Realtime) {
    let mut polls = ticks(POLL_INTERVAL);
    loop {
        polls.tick().await;
        let _next_poll_is_soon = poll(&environments, &realtime).await;
    }
}

async fn poll(environments: &Environments, realtime: &Realtime) -> Result<(), StoreError> {
    let mut subscribed: HashMap<Uuid, Vec<(Client, Room)>> = HashMap::new();
    for client in realtime.clients() {
        for room in client.rooms() {
            if let Room::Environment { id, .. } = room {
                subscribed.entry(id).or_default().push((client.clone(), room));
            }
        }
    }
    if subscribed.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = subscribed.keys().copied().collect();
    for deleted in environments.deleted_among(&ids).await? {
        for (client, room) in subscribed.remove(&deleted).unwrap_or_default() {
            client.leave(room);
        }
    }
    Ok(())
}
