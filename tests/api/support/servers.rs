//! Postgres, Redis and `PgBouncer` that belong to one test, for stories that change a whole server, such as its certificate or its role.

use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use devstack::process::{Daemon, Process};
use devstack::stores::{self, Durability, Store, StorePlan};
use devstack::{paths, ports};
use rustix::process::Signal;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use url::Url;

use super::certificates::{Authority, Certificate};
use super::{TestApp, eventually, when};

/// A Postgres with the database and the superuser `vitrine`.
pub struct OwnPostgres {
    store: Store,
    folder: TempDir,
}

impl OwnPostgres {
    pub fn start() -> Self {
        Self::run_in(paths::temporary("own-postgres").unwrap(), &paths::random_password().unwrap(), Durability::Disposable)
    }

    /// As [`Self::start`], with a server that keeps what it has acknowledged.
    pub fn durable() -> Self {
        Self::run_in(paths::temporary("own-postgres").unwrap(), &paths::random_password().unwrap(), Durability::Durable)
    }

    /// A standby that receives the changes of this server as a stream. The server acknowledges a commit only when the standby has it.
    pub async fn standby(&self) -> Self {
        let (folder, url) = (paths::temporary("own-standby").unwrap(), self.url());
        let program = stores::postgres_programs().unwrap().join("pg_basebackup");
        let data = folder.path().join("postgres/data");
        let mut copy = Command::new(program);
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-D"]).arg(&data).args(["-d", url.as_str()]);
        let copied = copy.output().unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        self.give(&data);
        let standby = Self::run_in(folder, url.password().unwrap(), Durability::Durable);
        self.run("ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        self.reload().await;
        eventually("the standby confirms commits", async || {
            when(self.value("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").await == 1)
        })
        .await;
        standby
    }

    fn run_in(folder: TempDir, password: &str, durability: Durability) -> Self {
        let (data, port) = (folder.path().join("postgres"), ports::free(1).unwrap()[0]);
        let plan = StorePlan { folder: &data, logs: folder.path(), port, password, durability };
        Self { store: stores::postgres(&plan).unwrap(), folder }
    }

    pub fn url(&self) -> Url {
        Url::parse(&self.store.url).unwrap()
    }

    /// The folder with the data and the configuration.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("postgres/data")
    }

    pub async fn run(&self, sql: &str) {
        let mut connection = PgConnection::connect(self.url().as_str()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }

    pub async fn value(&self, sql: &str) -> i64 {
        let mut connection = PgConnection::connect(self.url().as_str()).await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
    }

    /// Reads the configuration again, and waits until new connections have it.
    pub async fn reload(&self) {
        let loaded = "SELECT (extract(epoch FROM pg_conf_load_time()) * 1000000)::bigint";
        let before = self.value(loaded).await;
        self.run("SELECT pg_reload_conf()").await;
        eventually("the configuration is loaded", async || when(self.value(loaded).await > before)).await;
    }

    /// Speaks TLS with this certificate from now on.
    pub async fn certify(&self, Certificate { pem, key }: &Certificate) {
        for (name, text) in [("server.crt", pem), ("server.key", key)] {
            let path = self.data().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            self.give(&path);
        }
        self.run("ALTER SYSTEM SET ssl = on").await;
        self.reload().await;
    }

    /// Accepts only connections with TLS from now on.
    pub async fn require_tls(&self) {
        fs::write(self.data().join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        self.reload().await;
    }

    /// Gives a path and everything in it to the user of the server.
    fn give(&self, path: &Path) {
        let owner = fs::metadata(self.data()).unwrap();
        give_to(path, owner.uid(), owner.gid());
    }
}

fn give_to(path: &Path, uid: u32, gid: u32) {
    chown(path, Some(uid), Some(gid)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_to(&entry.unwrap().path(), uid, gid);
        }
    }
}

/// A Redis, which also listens with TLS once it has a certificate.
pub struct OwnRedis {
    store: Store,
    folder: TempDir,
    tls_port: u16,
}

impl OwnRedis {
    pub fn start() -> Self {
        let (folder, ports) = (paths::temporary("own-redis").unwrap(), ports::free(2).unwrap());
        let password = paths::random_password().unwrap();
        let data = folder.path().join("redis");
        let plan =
            StorePlan { folder: &data, logs: folder.path(), port: ports[0], password: &password, durability: Durability::Disposable };
        Self { store: stores::redis(&plan).unwrap(), folder, tls_port: ports[1] }
    }

    pub fn url(&self) -> Url {
        Url::parse(&self.store.url).unwrap()
    }

    /// The URL for TLS.
    pub fn tls_url(&self) -> Url {
        let mut url = Url::parse(&self.store.url.replace("redis://", "rediss://")).unwrap();
        url.set_port(Some(self.tls_port)).unwrap();
        url
    }

    pub async fn run<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = redis::Client::open(self.url().as_str()).unwrap().get_multiplexed_async_connection().await.unwrap();
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.unwrap()
    }

    /// Speaks TLS with this certificate from now on.
    pub async fn certify(&self, authority: &Authority, Certificate { pem, key }: &Certificate) {
        let authority = authority.pem();
        let [authority, pem, key] = [("ca.pem", &authority), ("redis.pem", pem), ("redis.key", key)].map(|(name, text)| {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        });
        let port = self.tls_port.to_string();
        let files = ["tls-ca-cert-file", &authority, "tls-cert-file", &pem, "tls-key-file", &key];
        let command = [&["CONFIG", "SET", "tls-auth-clients", "no"][..], &files, &["tls-port", &port]].concat();
        self.run::<()>(&command).await;
    }

    /// Becomes a replica of another Redis.
    pub async fn follow(&self, primary: &Self) {
        let (url, port) = (primary.url(), primary.url().port().unwrap().to_string());
        self.run::<()>(&["CONFIG", "SET", "masterauth", url.password().unwrap()]).await;
        self.run::<()>(&["REPLICAOF", "127.0.0.1", &port]).await;
    }
}

/// A `PgBouncer` in transaction mode, with two connections to Postgres for each database.
pub struct PgBouncer {
    _process: Process,
    _folder: TempDir,
    pub url: Url,
}

impl PgBouncer {
    /// Starts in front of the database at this URL, and logs in as its role. Prints a line and returns `None` if `PGBOUNCER` is not set.
    pub fn before(database: &Url) -> Option<Self> {
        let Some(program) = std::env::var_os("PGBOUNCER") else {
            eprintln!("SKIPPED: PGBOUNCER is not set: nothing is tested through a pooler");
            return None;
        };
        let (folder, port) = (paths::temporary("pgbouncer").unwrap(), ports::free(1).unwrap()[0]);
        let (user, password, server) = (database.username(), database.password().unwrap(), database.port().unwrap());
        let users = folder.path().join("users.txt");
        let config = folder.path().join("pgbouncer.ini");
        fs::write(&users, format!("\"{user}\" \"{password}\"\n")).unwrap();
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n",
            users.display()
        );
        fs::write(&config, text).unwrap();
        let owner = stores::unprivileged_user().unwrap();
        for path in [folder.path(), &users, &config] {
            if let Some(user) = owner {
                chown(path, Some(user.uid), Some(user.gid)).unwrap();
            }
        }
        let process = Daemon::stopped_by("pgbouncer", Path::new(&program), folder.path(), owner, Signal::INT).args([config]);
        let mut process = process.start().unwrap();
        process.wait_ready(Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", port)).is_ok()).unwrap();
        let mut url = database.clone();
        url.set_port(Some(port)).unwrap();
        Some(Self { _process: process, _folder: folder, url })
    }
}

/// A file with a text, in a folder of its own.
pub struct TextFile {
    folder: TempDir,
}

impl TextFile {
    pub fn with(text: &str) -> Self {
        let file = Self { folder: paths::temporary("file").unwrap() };
        file.write(text);
        file
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("text")
    }

    /// Replaces the text at once, as orchestrators do.
    pub fn write(&self, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path()).unwrap();
    }
}

impl TestApp {
    /// Waits until readiness names this reason for the refusal of a store, and checks that it contains no password.
    pub async fn until_refused(&self, store: &str, reason: &str, secret: &str) {
        use super::Ask;
        eventually(reason, async || {
            let answer = self.get("/health/ready").answer().await;
            assert!(!answer.text().contains(secret), "{}", answer.text());
            let check = &answer.json()["checks"][store];
            when(check["last_error"] == "refused" && check["detail"] == reason && check["status"] == "down")
        })
        .await;
    }
}
