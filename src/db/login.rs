//! How connections are opened: the options, the current password, and a pool that follows a change of the password.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::config::PasswordFile;

/// The options of a connection, and the file with the password if the URL has none.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) options: PgConnectOptions,
    pub(super) file: Option<PasswordFile>,
}

impl Login {
    /// The options with the current password.
    pub(super) fn current(&self) -> PgConnectOptions {
        match self.password() {
            Some(password) => self.options.clone().password(password.expose_secret()),
            None => self.options.clone(),
        }
    }

    /// The password in the file. An unreadable file counts as none: Postgres then refuses the connection, which is reported.
    fn password(&self) -> Option<SecretString> {
        self.file.as_ref().and_then(|file| file.read().ok())
    }
}

/// A pool. When Postgres refuses the password, it reads the file again and repeats the attempt with a new password, so that callers do not
/// notice the change. Open connections stay valid.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) inner: PgPool,
    login: Login,
    password: Arc<Mutex<Option<SecretString>>>,
    /// The number of changes of the password so far.
    changes: Arc<AtomicU64>,
}

impl Pool {
    /// Prepares a pool, which opens its first connection on first use.
    pub(super) fn new(options: PgPoolOptions, login: Login) -> Self {
        let password = login.password();
        let inner = options.connect_lazy_with(login.current());
        Self { inner, login, password: Arc::new(Mutex::new(password)), changes: Arc::default() }
    }

    /// Takes a connection.
    pub(super) async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let changes = self.changes.load(Ordering::Acquire);
        match self.inner.acquire().await {
            Err(error) if is_refused_password(&error) => {
                self.read_password();
                // Another caller may have read the new password meanwhile.
                if self.changes.load(Ordering::Acquire) == changes { Err(error) } else { self.inner.acquire().await }
            }
            result => result,
        }
    }

    /// Uses the password in the file for the next connections.
    pub(super) fn read_password(&self) {
        let Some(read) = self.login.password() else { return };
        let mut password = self.password.lock();
        if password.as_ref().is_none_or(|old| old.expose_secret() != read.expose_secret()) {
            self.inner.set_connect_options(self.login.options.clone().password(read.expose_secret()));
            *password = Some(read);
            self.changes.fetch_add(1, Ordering::Release);
        }
    }

    /// The maximum number of connections.
    pub(super) fn limit(&self) -> u32 {
        self.inner.options().get_max_connections()
    }
}

/// Whether Postgres refuses the user or the password. Some services in front of Postgres report it as an error of the protocol.
pub(super) fn is_refused_password(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    let code = error.code().unwrap_or_default();
    code == "28P01" || (code == "08P01" && error.message().contains("authentication failed"))
}
