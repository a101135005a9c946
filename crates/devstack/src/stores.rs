//! Postgres and Redis as private processes: for development, for tests and for the stack.
//! Nothing here knows Vitrine's schema; the application runs its migrations.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::paths;
use crate::process::{Daemon, Process, User, capture, capture_ok, command, task};
use crate::tools::{INITDB, REDIS};

const START_LIMIT: Duration = Duration::from_secs(30);

/// Whether the data of Postgres must outlive a crash of the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Durable,
    /// Nothing is flushed to disk: for tests, whose data is worthless when they end.
    Disposable,
}

/// A running Postgres or Redis.
pub struct Store {
    /// The server; it stops when this value is dropped.
    pub process: Process,
    /// The URL for clients, including the password.
    pub url: String,
}

/// The location and the credentials of a store.
pub struct StorePlan<'a> {
    /// The store's folder; it may hold data of an earlier start.
    pub folder: &'a Path,
    /// The folder for logs.
    pub logs: &'a Path,
    /// Port on 127.0.0.1.
    pub port: u16,
    /// The password of Postgres' user `vitrine`, or of Redis.
    pub password: &'a str,
    /// Whether Postgres may lose data in a crash.
    pub durability: Durability,
}

/// Starts both stores with one new password, in this folder and on free ports.
pub fn disposable(folder: &Path) -> Result<(Store, Store)> {
    let password = paths::random_password()?;
    let ports = crate::ports::free(2)?;
    let (postgres_folder, redis_folder) = (folder.join("postgres"), folder.join("redis"));
    let plan = |folder, port| StorePlan { folder, logs: folder_of(folder), port, password: &password, durability: Durability::Disposable };
    let postgres = postgres(&plan(&postgres_folder, ports[0]))?;
    let redis = redis(&plan(&redis_folder, ports[1]))?;
    Ok((postgres, redis))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// The folder of `initdb`, which also holds the other programs of the same Postgres version. Debian keeps some of them off PATH.
pub fn postgres_programs() -> Result<PathBuf> {
    let initdb = INITDB.path()?.canonicalize()?;
    Ok(folder_of(&initdb).to_path_buf())
}

/// Starts Postgres and waits until it accepts connections. Its user `vitrine` is a superuser and owns the database `vitrine`, which also
/// serves as the maintenance database.
pub fn postgres(plan: &StorePlan<'_>) -> Result<Store> {
    let bin = &postgres_programs()?;
    let user = unprivileged_user()?;
    let data = plan.folder.join("data");
    paths::ensure(plan.folder)?;
    if let Some(user) = user {
        chown(plan.folder, Some(user.uid), Some(user.gid))?;
        ensure_reachable(plan.folder, user)?;
    }
    if !data.join("PG_VERSION").exists() {
        initialise(bin, plan, &data, user)?;
    }
    let port = plan.port.to_string();
    let mut settings = vec![
        ("listen_addresses", "127.0.0.1"),
        ("port", &port),
        ("unix_socket_directories", ""),
        ("max_connections", "200"),
        // As in compose, the log omits the detail of an error, which contains values such as the e-mail address of an account.
        ("log_error_verbosity", "terse"),
        // As in compose: how much of its log Postgres keeps for a receiver of backups that is disconnected.
        ("max_slot_wal_keep_size", "4GB"),
    ];
    if plan.durability == Durability::Disposable {
        settings.extend([("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")]);
        // A failing test can leave connections in the middle of authentication. Dropping a database waits until they time out.
        settings.push(("authentication_timeout", "5s"));
    }
    // SIGINT is Postgres' "fast" shutdown: it closes clients' connections instead of waiting for them.
    let mut process = Daemon::stopped_by("postgres", &bin.join("postgres"), plan.logs, user, Signal::INT)
        .current_dir(plan.folder)
        .args(["-D".into(), data.into_os_string()])
        .args(settings.iter().map(|(key, value)| format!("--{key}={value}")))
        .grace(Duration::from_secs(20))
        .start()?;
    let is_ready = || {
        capture(task(bin.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port, "-d", "vitrine"]))
            .is_ok_and(|captured| captured.success)
    };
    process.wait_ready(START_LIMIT, is_ready)?;
    create_database(bin, plan)?;
    Ok(Store { process, url: format!("postgres://vitrine:{}@127.0.0.1:{port}/vitrine", plan.password) })
}

fn initialise(bin: &Path, plan: &StorePlan<'_>, data: &Path, user: Option<User>) -> Result<()> {
    let secret = plan.folder.join("password");
    paths::write_secret(&secret, plan.password)?;
    if let Some(user) = user {
        chown(&secret, Some(user.uid), Some(user.gid))?;
    }
    capture_ok(
        command(bin.join("initdb"), user, Signal::TERM)
            .current_dir(plan.folder)
            .args(["--username=vitrine", "--auth=scram-sha-256"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .arg(format!("--pwfile={}", secret.display()))
            .arg("-D")
            .arg(data),
    )?;
    fs::remove_file(&secret).context("failed to remove the password file")
}

fn create_database(bin: &Path, plan: &StorePlan<'_>) -> Result<()> {
    let psql = |database: &str, sql: &str| {
        capture_ok(
            task(bin.join("psql"))
                .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"])
                .args(["-U", "vitrine", "-d", database, "-c", sql])
                .env("PGPORT", plan.port.to_string())
                .env("PGPASSWORD", plan.password),
        )
    };
    let exists = psql("postgres", "SELECT 1 FROM pg_database WHERE datname = 'vitrine'")?;
    if exists.trim().is_empty() {
        psql("postgres", "CREATE DATABASE vitrine")?;
    }
    Ok(())
}

/// Starts Redis and waits until it accepts connections. As in compose, its memory is bounded and it persists nothing: it holds copies and
/// counters only.
pub fn redis(plan: &StorePlan<'_>) -> Result<Store> {
    paths::ensure(plan.folder)?;
    // The password is in a file, because every user of the machine can read a process' arguments.
    let config = plan.folder.join("redis.conf");
    paths::write_secret(
        &config,
        &format!(
            "bind 127.0.0.1\nport {}\ndir {}\nrequirepass {}\nsave \"\"\nappendonly no\nmaxmemory 160mb\nmaxmemory-policy allkeys-lru\n",
            plan.port,
            plan.folder.display(),
            plan.password
        ),
    )?;
    let mut process = Daemon::new("redis", &REDIS.path()?, plan.logs).args([config]).start()?;
    process.wait_ready(START_LIMIT, || TcpStream::connect(("127.0.0.1", plan.port)).is_ok())?;
    Ok(Store { process, url: format!("redis://default:{}@127.0.0.1:{}", plan.password, plan.port) })
}

/// The user for Postgres and `PgBouncer` if xtask runs as root: `postgres` or `nobody`, because both refuse to run as root.
pub fn unprivileged_user() -> Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").context("failed to read /etc/passwd")?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| find_user(&users, name))
        .map(Some)
        .context("Postgres refuses to run as root, and neither the user postgres nor nobody exists")
}

fn find_user(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next()? == name;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        found.then_some(User { uid, gid })
    })
}

fn ensure_reachable(folder: &Path, user: User) -> Result<()> {
    ensure!(can_enter(folder, user)?, "{} is not accessible to the user that Postgres runs as", folder.display());
    Ok(())
}

fn can_enter(folder: &Path, user: User) -> Result<bool> {
    Ok(capture(command("test", Some(user), Signal::TERM).arg("-x").arg(folder))?.success)
}

/// A persistent folder for Postgres: `wanted`, if Postgres' user can enter it. Otherwise (such as below root's home), a folder in the
/// temporary directory, with a name derived from `wanted`.
pub fn lasting_folder(wanted: &Path) -> Result<PathBuf> {
    paths::ensure(wanted)?;
    match unprivileged_user()? {
        Some(user) if !can_enter(wanted, user)? => {
            let name = wanted.display().to_string().replace('/', "-");
            let folder = std::env::temp_dir().join(format!("vitrine{name}"));
            paths::ensure(&folder)?;
            Ok(folder)
        }
        _ => Ok(wanted.to_path_buf()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_the_password_file() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres:x:103:104::/var/lib:/bin/sh\n";
        let user = find_user(passwd, "postgres").unwrap();
        assert_eq!((user.uid, user.gid), (103, 104));
        assert!(find_user(passwd, "nobody").is_none());
    }
}
