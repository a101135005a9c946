//! The stores of a run and their contents. Each target has its own Postgres database and its own Redis database. All Postgres databases
//! have the same accounts, session and projects, so that responses can be compared.

use std::path::Path;

use anyhow::{Context, Result};
use devstack::paths;
use devstack::process::{capture_ok, task};
use devstack::stores::{self, Store};
use tempfile::TempDir;

/// The project that the cases read.
pub const PROJECT: &str = "01900000-0000-7000-8000-000000000064";
/// A private project of another account.
pub const FOREIGN_PROJECT: &str = "01900000-0000-7000-9000-000000000001";

/// Two accounts: Ada has a session and 200 projects, Ben has one project. Identifiers increase, as those of UUID version 7 do.
const SEED: &str = "
INSERT INTO users (id, email, display_name) VALUES
    ('01900000-0000-7000-a000-000000000001', 'ada@example.org', 'Ada'),
    ('01900000-0000-7000-a000-000000000002', 'ben@example.org', 'Ben');
INSERT INTO auth_sessions (id, user_id, token_hash, device, expires_at)
    SELECT '01900000-0000-7000-b000-000000000001', id, sha256(:'token'), 'peers', now() + interval '1 day'
    FROM users WHERE email = 'ada@example.org';
INSERT INTO projects (id, owner_id, name, slug, description)
    SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '01900000-0000-7000-a000-000000000001',
           'Project ' || n, 'project-' || n, 'One of 200, with a line of text.'
    FROM generate_series(1, 200) n;
INSERT INTO projects (id, owner_id, name, slug) VALUES
    ('01900000-0000-7000-9000-000000000001', '01900000-0000-7000-a000-000000000002', 'Foreign', 'foreign');
INSERT INTO project_members (project_id, user_id, role) SELECT id, owner_id, 'owner' FROM projects;
ANALYZE;
";

/// Running stores.
pub struct Fixture {
    postgres: Store,
    redis: Store,
    /// The token of the session.
    pub token: String,
    folder: TempDir,
}

/// The databases of one target.
pub struct Stores {
    /// The URL of the Postgres database.
    pub database_url: String,
    /// The URL of the Redis database.
    pub redis_url: String,
}

/// The name of a target's Postgres database.
pub fn database(target: &str) -> String {
    format!("peers_{}", target.replace('-', "_"))
}

impl Fixture {
    /// Starts the stores. They run on the cores of this process, not on the server's.
    pub fn open() -> Result<Self> {
        let folder = paths::temporary("peers")?;
        let (postgres, redis) = stores::disposable(folder.path())?;
        let token = paths::random_key()?.replace('+', "-").replace('/', "_").replace('=', "");
        Ok(Self { postgres, redis, token, folder })
    }

    /// The folder for scripts and logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Creates the Postgres database of a target, with the tables of this `vitrine` binary and the rows of the seed. The target's Redis
    /// database is `number`.
    pub fn prepare(&self, name: &str, number: usize, vitrine: &Path) -> Result<Stores> {
        let database = database(name);
        self.psql("vitrine", &format!("CREATE DATABASE {database}"))?;
        let server = self.postgres.url.strip_suffix("/vitrine").context("the database must be named vitrine")?;
        let stores = Stores { database_url: format!("{server}/{database}"), redis_url: format!("{}/{number}", self.redis.url) };
        capture_ok(task(vitrine).arg("migrate").env("DATABASE_URL", &stores.database_url).env("REDIS_URL", &stores.redis_url))?;
        self.psql(&database, &SEED.replace(":'token'", &format!("'{}'", self.token)))?;
        Ok(stores)
    }

    /// The process ids of the stores.
    pub fn processes(&self) -> [u32; 2] {
        [&self.postgres, &self.redis].map(|store| store.process.pid().as_raw_nonzero().get().unsigned_abs())
    }

    /// Runs statements on a database as its owner, and returns the rows.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let (password, port) = self.access().context("failed to parse the URL of Postgres")?;
        let psql = stores::postgres_programs()?.join("psql");
        let mut psql = task(psql);
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "vitrine", "-d", database, "-c", sql]);
        capture_ok(psql.env("PGPORT", port).env("PGPASSWORD", password))
    }

    /// Password and port, from the URL.
    fn access(&self) -> Option<(&str, &str)> {
        let (user, server) = self.postgres.url.split_once('@')?;
        Some((user.rsplit_once(':')?.1, server.split_once(':')?.1.split_once('/')?.0))
    }
}
