//! Rooms: who gets an event. A socket is in the rooms of its session and its user from the start; it enters the others
//! when it subscribes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Sockets that are told the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Room {
    /// Those of one session of an account.
    Session(Uuid),
    /// Those of one account.
    User(Uuid),
    /// Those that subscribed to a project.
    Project(Uuid),
    /// Those that subscribed to an environment.
    Environment(Uuid),
}

impl Room {
    /// The name under which the library knows it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Session(id) => format!("s{}", id.simple()),
            Self::User(id) => format!("u{}", id.simple()),
            Self::Project(id) => format!("p{}", id.simple()),
            Self::Environment(id) => format!("e{}", id.simple()),
        }
    }

    /// The room of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let make = match name.get(..1)? {
            "s" => Self::Session,
            "u" => Self::User,
            "p" => Self::Project,
            "e" => Self::Environment,
            _ => return None,
        };
        Uuid::try_parse(&name[1..]).ok().map(make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_known_by_its_name() {
        let id = Uuid::now_v7();
        for room in [Room::Session(id), Room::User(id), Room::Project(id), Room::Environment(id)] {
            assert_eq!(Room::named(&room.name()), Some(room));
        }
        assert_eq!(Room::named("x"), None);
        assert_eq!(Room::named("écran"), None);
    }
}
