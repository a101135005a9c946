//! The resources that the measurements of all subjects, such as rows or sockets, share: stores, the measured program, the load and the
//! meter.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;

use super::meter::Meter;
use crate::peers::fixture::Fixture;
use crate::peers::load::Scripts;
use crate::peers::target::{Name, Running, Target};
use devstack::paths;

/// The resources of a run.
pub struct Setup<'a> {
    pub fixture: &'a Fixture,
    /// The measured binary.
    pub program: PathBuf,
    pub scripts: Scripts,
    pub meter: Meter,
    /// Number of rounds; each measures every amount once. The subject `requests` is measured in one round only.
    pub rounds: u32,
    /// Duration of one run of the HTTP load, in seconds.
    pub seconds: u32,
    /// The core of the replica.
    pub core: u32,
}

/// A replica and its Postgres database.
pub struct Replica {
    pub running: Running,
    pub database: String,
}

impl Setup<'_> {
    /// Starts a replica with databases of its own: a Postgres database, to which `fill` first adds rows, and the Redis database `number`.
    pub fn start(&self, name: &str, number: usize, fill: impl FnOnce(&str) -> Result<()>) -> Result<Replica> {
        let stores = self.fixture.prepare(name, number, &self.program)?;
        let database = crate::peers::fixture::database(name);
        fill(&database)?;
        let logs = self.fixture.folder().join(name);
        paths::ensure(&logs)?;
        let program = (self.program.clone(), vec![OsString::from("serve")]);
        let running = Target { name: Name::Vitrine, program, stores, settings: Vec::new() }.start(self.core, &self.fixture.token, &logs)?;
        Ok(Replica { running, database })
    }

    /// The processes of a replica and of the stores.
    pub fn processes(&self, replica: &Replica) -> Vec<u32> {
        self.fixture.processes().into_iter().chain([replica.running.pid()]).collect()
    }
}
