//! Socket.IO clients that count what they send and receive, each subscribed to a project of its own.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::counts::Counts;
use super::requests::{Counting, IDENTITY};
use crate::sockets::Sockets;

const TALKERS: usize = 6;
/// Number of pings of a talker in a round.
const PINGS: u64 = 5;
/// Time limit of each of the two waits in a round. It is above the time in which a client reconnects.
const LIMIT: Duration = Duration::from_secs(10);
/// A stopping replica sends this event after the replica's last scrape, so Prometheus does not count the event.
const UNSCRAPED: &str = "server:draining";

/// The clients.
pub struct Talkers {
    sockets: Sockets,
    /// The owner and the identifier of each project.
    owners: Vec<(Counting, String)>,
    rounds: u64,
    last: Value,
}

impl Talkers {
    /// Starts to connect the clients; `talk` waits for them.
    pub fn connect(edge: &str) -> Result<Self> {
        let mut owners = Vec::new();
        for _ in 0..TALKERS {
            let mut owner = Counting::sign_up(edge)?;
            let project = owner.create_project()?;
            owners.push((owner, project));
        }
        let members: Vec<Value> = owners.iter().map(|(owner, project)| json!({ "token": owner.token(), "project": project })).collect();
        let mut sockets = Sockets::start()?;
        sockets.ask(&json!({ "command": "talk", "url": edge, "members": members }))?;
        Ok(Self { sockets, owners, rounds: 0, last: Value::Null })
    }

    /// Waits until every client is connected and subscribed, lets every client send some pings, and changes every project once. Returns
    /// when every client has received the change of its project.
    pub fn talk(&mut self) -> Result<()> {
        let limit = u64::try_from(LIMIT.as_millis())?;
        let ready = self.sockets.ask(&json!({ "command": "talked", "pings": PINGS, "changes": self.rounds, "limit": limit }))?;
        ensure!(ready["missing"].is_null(), "{ready}");
        for (owner, project) in &mut self.owners {
            owner.change_project(project)?;
        }
        self.rounds += 1;
        self.last = self.sockets.ask(&json!({ "command": "talked", "pings": 0, "changes": self.rounds, "limit": limit }))?;
        ensure!(self.last["missing"].is_null() && self.last["refused"] == 0, "{}", self.last);
        Ok(())
    }

    /// The counts of the clients and of the projects' owners, added up.
    pub fn counts(self) -> Result<Counts> {
        let mut counts = Counts::default();
        let each = |side: &str| self.last[side].as_object().cloned().into_iter().flatten();
        let number = |count: &Value| count.as_u64().unwrap_or_default();
        let connections = number(&self.last["connections"]);
        ensure!(connections > TALKERS as u64, "no client reconnected, so nothing is proven about restarts");
        counts.sockets("websocket", connections);
        each("sent").for_each(|(event, count)| counts.messages("in", &event, number(&count)));
        each("received").filter(|(event, _)| event != UNSCRAPED).for_each(|(event, count)| counts.messages("out", &event, number(&count)));
        let subscriptions = number(&self.last["sent"]["project:subscribe"]);
        // A connection is authenticated before and after it joins the room of its session; a subscription is authenticated once, and
        // its access to the project is checked before and after it joins the room of the project.
        for cache in IDENTITY {
            counts.lookups(cache, 2 * connections + subscriptions);
        }
        counts.lookups("project", 2 * subscriptions);
        self.owners.into_iter().for_each(|(owner, _)| counts.merge(owner.into_counts()));
        Ok(counts)
    }
}
