//! The way of statements to Postgres: straight, or through a pooler in transaction mode such as `PgBouncer`.
//!
//! Such a pooler lends a connection of the server for one transaction at a time. So nothing may belong to a session: statements have no
//! names, each runs in a transaction, and the limits are set in the transaction. Migrations and notifications need a session; they use
//! `DATABASE_DIRECT_URL`.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{AssertSqlSafe, Describe, Either, Execute, Executor, Postgres, SqlStr};

/// The way of statements to Postgres.
#[derive(Clone)]
pub(super) enum Route {
    /// The connection is a session of Postgres, whose limits are settings of the session.
    Direct,
    /// The connection leads to a pooler.
    Pooler {
        /// The statements that begin a transaction and set its limits.
        begin: Arc<str>,
    },
}

impl Route {
    /// The way through a pooler, with these settings for each transaction.
    pub(super) fn pooler(settings: &[(&str, String)]) -> Self {
        let settings = settings.iter().map(|(name, value)| format!("SET LOCAL {name} = {value}"));
        let begin: Vec<String> = std::iter::once("BEGIN".to_owned()).chain(settings).collect();
        Self::Pooler { begin: begin.join("; ").into() }
    }

    /// The statements that begin a transaction.
    pub(super) fn begin(&self) -> &str {
        match self {
            Self::Direct => "BEGIN",
            Self::Pooler { begin } => begin,
        }
    }

    /// The statements that begin the transaction which a single statement needs, if it needs one.
    pub(super) fn begin_for_one(&self) -> Option<&str> {
        match self {
            Self::Direct => None,
            Self::Pooler { begin } => Some(begin),
        }
    }

    /// An executor for a statement on this connection.
    pub(super) fn over<'c>(&self, connection: &'c mut PgConnection) -> Over<'c> {
        Over { connection, named: matches!(self, Self::Direct) }
    }
}

/// Runs statements without parameters and results, as text: a pooler sees where the transaction begins and ends.
pub(super) async fn control(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// Executes statements on a connection. A statement without a name exists until the next one, and is not kept for later.
#[derive(Debug)]
pub(super) struct Over<'c> {
    connection: &'c mut PgConnection,
    named: bool,
}

impl<'c> Executor<'c> for Over<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.connection.fetch_many(Statement { query, named: self.named })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.connection.fetch_optional(Statement { query, named: self.named })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        self.connection.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        self.connection.describe(sql)
    }
}

/// A statement that keeps its name only if `named`.
struct Statement<E> {
    query: E,
    named: bool,
}

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Statement<E> {
    fn sql(self) -> SqlStr {
        self.query.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.query.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.query.take_arguments()
    }

    fn persistent(&self) -> bool {
        self.named && self.query.persistent()
    }
}
