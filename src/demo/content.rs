//! The people and projects of the demo data. `mod.rs` adds them.
//!
//! The addresses end with `.example`, which nobody can register (RFC 2606). `vitrine seed` recognises a project by its owner and name,
//! and an environment by its project and name. After a change of a name here, the command therefore adds another project or environment.

use crate::features::environments::driver::Image;
use crate::features::projects::Role;

/// An account.
pub struct Person {
    pub name: &'static str,
    pub email: &'static str,
}

/// A published project.
pub struct Project {
    pub name: &'static str,
    pub description: &'static str,
    pub owner: &'static Person,
    pub members: &'static [(&'static Person, Role)],
    pub workspaces: &'static [Workspace],
}

/// An environment. Only a few run, because a running one writes a line to its log every second.
pub struct Workspace {
    pub name: &'static str,
    pub image: Image,
    pub is_running: bool,
}

const MARA: Person = Person { name: "Mara Lindqvist", email: "mara@vitrine.example" };
const TOMAS: Person = Person { name: "Tomás Ferreira", email: "tomas@vitrine.example" };
const YUKI: Person = Person { name: "Yuki Tanabe", email: "yuki@vitrine.example" };
const NOOR: Person = Person { name: "Noor Haddad", email: "noor@vitrine.example" };
const ELIAS: Person = Person { name: "Elias Brandt", email: "elias@vitrine.example" };
const PRIYA: Person = Person { name: "Priya Raman", email: "priya@vitrine.example" };

const fn running(name: &'static str, image: Image) -> Workspace {
    Workspace { name, image, is_running: true }
}

const fn stopped(name: &'static str, image: Image) -> Workspace {
    Workspace { name, image, is_running: false }
}

/// Every project, in the order of publication. The showcase lists the last one first.
pub const PROJECTS: &[Project] = &[
    Project {
        name: "Tide Tables",
        description: "High and low water for 340 harbours, computed from harmonic constants instead of downloaded tables. One binary, no \
                      network, and the answer agrees with the harbour office to within four minutes.",
        owner: &MARA,
        members: &[(&ELIAS, Role::Editor)],
        workspaces: &[running("compute", Image::Rust), stopped("release check", Image::Alpine)],
    },
    Project {
        name: "Paper Route",
        description: "Plans the rounds of a neighbourhood newspaper. Give it the addresses and the number of bicycles; it returns routes \
                      of equal length that cross no main road twice.",
        owner: &TOMAS,
        members: &[(&NOOR, Role::Viewer)],
        workspaces: &[stopped("planner", Image::Node)],
    },
    Project {
        name: "Quiet Metronome",
        description: "A metronome for shared rehearsal rooms: every phone in the room flashes on the same beat. The clocks agree to two \
                      milliseconds over ordinary Wi-Fi.",
        owner: &YUKI,
        members: &[(&PRIYA, Role::Editor), (&MARA, Role::Viewer)],
        workspaces: &[running("clock server", Image::Node)],
    },
    Project {
        name: "Seed Library",
        description: "The catalogue of a seed library that lends tomato, bean and squash seeds in spring and takes them back in autumn. \
                      It warns when a variety has fewer than three keepers.",
        owner: &NOOR,
        members: &[(&TOMAS, Role::Editor)],
        workspaces: &[stopped("catalogue", Image::Node)],
    },
    Project {
        name: "Night Bus",
        description: "Departures of night buses on an e-paper display beside the door. A microcontroller wakes once a minute, asks for \
                      one line of text, and runs for five months on two cells.",
        owner: &ELIAS,
        members: &[],
        workspaces: &[stopped("gateway", Image::Rust), stopped("display simulator", Image::Alpine)],
    },
    Project {
        name: "Bread Log",
        description: "A notebook for sourdough: flour, water, temperature and time in, a plot of rise against hours out. Plain text \
                      files, so that the notes outlive the program.",
        owner: &PRIYA,
        members: &[(&YUKI, Role::Viewer)],
        workspaces: &[stopped("plots", Image::Node)],
    },
    Project {
        name: "Lantern Maps",
        description: "Walking maps that show which streets are lit. Volunteers report a broken lamp with one tap, and the route of every \
                      later walker avoids it until it is repaired.",
        owner: &MARA,
        members: &[(&NOOR, Role::Editor), (&TOMAS, Role::Viewer)],
        workspaces: &[stopped("tile server", Image::Rust)],
    },
    Project {
        name: "Small Claims",
        description: "Splits the cost of a shared flat. It keeps debts in whole cents, never rounds twice, and settles six people with at \
                      most five payments.",
        owner: &TOMAS,
        members: &[(&PRIYA, Role::Editor)],
        workspaces: &[stopped("ledger", Image::Rust)],
    },
    Project {
        name: "Bird Radio",
        description: "Recognises birds by their song on a computer the size of a matchbox, and writes a line for each. No recording \
                      leaves the garden: only the species and the minute are kept.",
        owner: &YUKI,
        members: &[(&ELIAS, Role::Editor), (&MARA, Role::Viewer)],
        workspaces: &[stopped("listener", Image::Rust), stopped("training notes", Image::Busybox)],
    },
    Project {
        name: "Loom",
        description: "Draws weaving patterns as you change threading and treadling, and prints them at the size of the loom. Opens and \
                      writes WIF files, so patterns from forty years ago still work.",
        owner: &NOOR,
        members: &[],
        workspaces: &[stopped("editor", Image::Node)],
    },
    Project {
        name: "Ferry Queue",
        description: "Tells drivers how long the queue at the ferry is, from a camera that counts cars and forgets the pictures. The \
                      estimate was within one sailing on 96 of 100 summer days.",
        owner: &ELIAS,
        members: &[(&MARA, Role::Editor), (&YUKI, Role::Viewer)],
        workspaces: &[running("counter", Image::Rust)],
    },
    Project {
        name: "Open Hours",
        description: "Answers one question: is it open now? A parser for opening hours as people write them, with holidays, lunch breaks \
                      and \"the first Tuesday of the month\", in 900 lines.",
        owner: &PRIYA,
        members: &[(&TOMAS, Role::Editor), (&NOOR, Role::Editor)],
        workspaces: &[stopped("parser", Image::Rust)],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::projects::NewProject;

    #[test]
    fn every_project_is_valid_and_has_a_name_and_an_environment_of_its_own() {
        for (index, project) in PROJECTS.iter().enumerate() {
            assert!(NewProject::parse(project.name, Some(project.description), None).is_ok(), "{}", project.name);
            assert!(PROJECTS[..index].iter().all(|earlier| earlier.name != project.name), "{}", project.name);
            assert!(!project.workspaces.is_empty(), "{}", project.name);
            assert!(project.members.iter().all(|(person, _)| person.email != project.owner.email), "{}", project.name);
        }
        assert!(PROJECTS.len() >= 12);
    }
}
