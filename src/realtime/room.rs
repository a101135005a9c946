//! Rooms: groups of sockets that receive the same events. A socket joins the rooms of its session and its user at admission,
//! and other rooms when its client subscribes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::connection::Work;

/// A room, with its identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Room {
    /// The sockets of one session.
    Session(Uuid),
    /// The sockets of one user.
    User(Uuid),
    /// The subscribers of a project.
    Project(Uuid),
    /// The subscribers of an environment.
    Environment {
        /// The environment's identifier.
        id: Uuid,
        /// The environment's project: a client that loses access to the project leaves this room too.
        project: Uuid,
    },
}

impl Room {
    /// The room's name in the Socket.IO library.
    pub(super) fn name(self) -> String {
        match self {
            Self::Session(id) => format!("s{}", id.simple()),
            Self::User(id) => format!("u{}", id.simple()),
            Self::Project(id) => format!("p{}", id.simple()),
            Self::Environment { id, project } => format!("e{}{}", id.simple(), project.simple()),
        }
    }

    /// The project that the room's clients must have access to.
    #[must_use]
    pub fn project(self) -> Option<Uuid> {
        match self {
            Self::Project(project) | Self::Environment { project, .. } => Some(project),
            Self::Session(_) | Self::User(_) => None,
        }
    }

    /// The background work of a client in this room. It ends when the client leaves the room.
    pub(super) fn work(self) -> Option<Work> {
        match self {
            Self::Project(id) => Some(Work::Presence(id)),
            Self::Environment { id, .. } => Some(Work::Log(id)),
            Self::Session(_) | Self::User(_) => None,
        }
    }

    /// The inverse of [`Self::name`].
    pub(super) fn named(name: &str) -> Option<Self> {
        let make = match name.get(..1)? {
            "s" => Self::Session,
            "u" => Self::User,
            "p" => Self::Project,
            "e" => {
                let (id, project) = name[1..].split_at_checked(32)?;
                return Some(Self::Environment { id: Uuid::try_parse(id).ok()?, project: Uuid::try_parse(project).ok()? });
            }
            _ => return None,
        };
        Uuid::try_parse(&name[1..]).ok().map(make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_a_room_parses_as_a_room() {
        let (id, project) = (Uuid::now_v7(), Uuid::now_v7());
        for room in [Room::Session(id), Room::User(id), Room::Project(project), Room::Environment { id, project }] {
            assert_eq!(Room::named(&room.name()), Some(room));
        }
        for name in ["x", "", "e", "e1", &Room::User(id).name().replace('u', "e")] {
            assert_eq!(Room::named(name), None);
        }
        assert_eq!(Room::named("écran"), None);
    }
}
