//! Drills of Postgres: statements are slow or fail, connections run short, Postgres is down.

use serde_json::json;

use super::test_stack::{TestStack, send_and_forget};
use super::traffic::Traffic;
use super::{Drill, ends};
use crate::users::create_project;

/// Statements on one table are slow and hold their connections.
pub const SLOW: Drill = Drill {
    alerts: &["SlowDatabaseQueries", "DatabasePoolSaturated"],
    cause: "statements on the table projects take 0.7 s and arrive faster than the pools can serve them",
    mitigation: "the delay is removed: the fault `database` is ended",
    inject: |test| {
        let readers = project_readers(test, 60, 60)?;
        let fault = test.fault(json!({ "fault": "database", "table": "projects", "delay_ms": 700 }))?;
        Ok(Box::new(move |test| {
            test.end_fault(&fault)?;
            drop(readers);
            Ok(())
        }))
    },
};

/// Statements on one table run close to their time limit.
pub const VERY_SLOW: Drill = Drill {
    alerts: &["VerySlowDatabaseQueries"],
    cause: "statements on the table projects take 1.3 s of the allowed 1.5 s",
    mitigation: "the delay is removed: the fault `database` is ended",
    inject: |test| {
        let readers = project_readers(test, 6, 18)?;
        let fault = test.fault(json!({ "fault": "database", "table": "projects", "delay_ms": 1300 }))?;
        Ok(Box::new(move |test| {
            test.end_fault(&fault)?;
            drop(readers);
            Ok(())
        }))
    },
};

/// A table has been renamed, so statements on it fail.
pub const ERRORS: Drill = Drill {
    alerts: &["DatabaseErrors"],
    cause: "the table projects was renamed by hand",
    mitigation: "the table gets its name back",
    inject: |test| {
        let readers = project_readers(test, 30, 4)?;
        test.stack.sql("ALTER TABLE projects RENAME TO projects_old")?;
        Ok(Box::new(move |test| {
            test.stack.sql("ALTER TABLE projects_old RENAME TO projects")?;
            drop(readers);
            Ok(())
        }))
    },
};

/// Another client holds most of the connections.
pub const CONNECTIONS: Drill = Drill {
    alerts: &["PostgresConnectionsHigh"],
    cause: "another program holds 150 of Postgres' 200 connections",
    mitigation: "that program is stopped",
    inject: |test| {
        let holder = test.stack.hold_connections(150)?;
        Ok(ends(holder))
    },
};

/// Postgres is down.
pub const DOWN: Drill = Drill {
    alerts: &["PostgresDown"],
    cause: "Postgres is stopped",
    mitigation: "Postgres is started",
    inject: |test| {
        test.stack.stop_postgres()?;
        Ok(Box::new(|test| test.stack.start_postgres()))
    },
};

/// Traffic of a member who lists their projects.
pub fn project_readers(test: &TestStack, per_second: u32, connections: u32) -> anyhow::Result<Traffic> {
    let (edge, token) = (test.stack.edge()?, test.new_account()?);
    create_project(&edge, &token, "Often read")?;
    let (url, bearer) = (format!("{edge}/api/projects"), format!("Bearer {token}"));
    Ok(Traffic::start(per_second, connections, move |client, _| send_and_forget(client, "GET", &url, &[("authorization", &bearer)], None)))
}
