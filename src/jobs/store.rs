//! The statements on `jobs`. The parent module explains the semantics.
//!
//! The planner's statistics describe an almost empty queue. With the condition `died_at IS NULL`, Postgres therefore expects at most one
//! row, and reads the whole queue to find the jobs of a lane. Statements on a lane use the equivalent condition
//! `coalesce(died_at, 'infinity') = 'infinity'` instead. The indexes of unfinished jobs do not match this condition, so Postgres uses
//! `jobs_in_lane_idx`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::job::Job;
use crate::db::{Conn, StoreError};
use crate::metrics::labels::{JobKind, Query};
use crate::telemetry::trace_context::Traceparent;

/// The unfinished jobs of one kind.
pub struct Pending {
    pub kind: String,
    pub count: i64,
    /// How long the oldest due job has been waiting; running jobs do not count.
    pub seconds_due: f64,
}

/// Inserts nothing when the unique key is taken. The transaction locks the lane until it ends, so the ids of a lane are in the
/// order of commits: no replica can see and start a later job of the lane before an earlier one.
pub async fn insert(
    tx: &mut Conn,
    kind: JobKind,
    payload: &Value,
    lane: Option<&str>,
    unique_key: Option<&str>,
    cause: Option<Traceparent>,
) -> Result<(), StoreError> {
    let insert = sqlx::query!(
        "WITH lane AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtext('jobs'), hashtext($3)))
         INSERT INTO jobs (kind, payload, lane, unique_key, traceparent) SELECT $1, $2, $3, $4, $5 FROM lane
         ON CONFLICT (unique_key) WHERE died_at IS NULL DO NOTHING",
        kind.name(),
        payload,
        lane,
        unique_key,
        cause.map(String::from)
    );
    tx.execute(Query::InsertJobs, insert).await.map(drop)
}

/// Makes all waiting jobs of a lane due immediately: ends their pauses before a retry.
pub async fn make_due(tx: &mut Conn, lane: &str) -> Result<(), StoreError> {
    let update = sqlx::query!(
        "UPDATE jobs SET run_at = now()
         WHERE lane = $1 AND coalesce(died_at, 'infinity') = 'infinity' AND lease_until IS NULL AND run_at > now()",
        lane
    );
    tx.execute(Query::UpdateJobs, update).await.map(drop)
}

/// Deletes the waiting jobs of a kind in a lane, but not a running one.
pub async fn delete_waiting(tx: &mut Conn, lane: &str, kind: JobKind) -> Result<(), StoreError> {
    let delete = sqlx::query!(
        "DELETE FROM jobs
         WHERE lane = $1 AND kind = $2 AND coalesce(died_at, 'infinity') = 'infinity' AND lease_until IS NULL",
        lane,
        kind.name()
    );
    tx.execute(Query::DeleteJobs, delete).await.map(drop)
}

/// Leases up to `limit` due jobs of these kinds, the longest due first, and of each lane only the first unfinished one. If
/// another transaction has changed a selected row, Postgres checks the conditions for this row again, but does not search for the first job
/// of its lane again. That is safe, because the first job of a lane stays the first until it ends.
pub async fn lease(conn: &mut Conn, lease: Uuid, term: Duration, kinds: &[String], limit: i64) -> Result<Vec<Job>, StoreError> {
    let update = sqlx::query!(
        "WITH due AS MATERIALIZED (
             SELECT id FROM jobs j
             WHERE died_at IS NULL AND run_at <= now() AND (lease_until IS NULL OR lease_until < now()) AND kind = ANY($3)
               AND (lane IS NULL
                    OR id = (SELECT min(id) FROM jobs same WHERE same.lane = j.lane AND coalesce(same.died_at, 'infinity') = 'infinity'))
             ORDER BY run_at, id LIMIT $4
             FOR UPDATE SKIP LOCKED
         )
         UPDATE jobs SET lease_id = $1, lease_until = now() + make_interval(secs => $2), attempts = attempts + 1
         FROM due WHERE jobs.id = due.id
         RETURNING jobs.id, kind, payload, attempts, traceparent",
        lease,
        term.as_secs_f64(),
        kinds,
        limit
    );
    let rows = conn.all(Query::UpdateJobs, update).await?;
    let jobs = rows.into_iter().filter_map(|row| {
        let kind = JobKind::named(&row.kind)?;
        let cause = row.traceparent.as_deref().and_then(Traceparent::parse);
        Some(Job { id: row.id, kind, payload: row.payload, attempt: row.attempts, cause, lease, completed: Arc::default() })
    });
    Ok(jobs.collect())
}

/// Extends the lease. False when it has been lost.
pub async fn renew(conn: &mut Conn, job: &Job, term: Duration) -> Result<bool, StoreError> {
    let update = sqlx::query!(
        "UPDATE jobs SET lease_until = now() + make_interval(secs => $3)
         WHERE id = $1 AND lease_id = $2",
        job.id,
        job.lease,
        term.as_secs_f64()
    );
    Ok(conn.execute(Query::UpdateJobs, update).await? == 1)
}

/// Deletes the finished job. False when the lease has been lost.
pub async fn delete(conn: &mut Conn, job: &Job) -> Result<bool, StoreError> {
    let delete = sqlx::query!("DELETE FROM jobs WHERE id = $1 AND lease_id = $2", job.id, job.lease);
    Ok(conn.execute(Query::DeleteJobs, delete).await? == 1)
}

/// Puts the job back for a retry after `pause`. False when the lease has been lost.
pub async fn retry(conn: &mut Conn, job: &Job, pause: Duration, error: &str) -> Result<bool, StoreError> {
    let update = sqlx::query!(
        "UPDATE jobs SET lease_id = NULL, lease_until = NULL, run_at = now() + make_interval(secs => $3), last_error = $4
         WHERE id = $1 AND lease_id = $2",
        job.id,
        job.lease,
        pause.as_secs_f64(),
        error
    );
    Ok(conn.execute(Query::UpdateJobs, update).await? == 1)
}

/// Makes the job a dead letter. False when the lease has been lost.
pub async fn dead_letter(tx: &mut Conn, job: &Job, error: &str) -> Result<bool, StoreError> {
    let update = sqlx::query!(
        "UPDATE jobs SET lease_id = NULL, lease_until = NULL, died_at = now(), last_error = $3
         WHERE id = $1 AND lease_id = $2",
        job.id,
        job.lease,
        error
    );
    Ok(tx.execute(Query::UpdateJobs, update).await? == 1)
}

/// Gives back a job whose attempt was aborted, without counting the attempt. False when the lease has been lost.
pub async fn give_back(conn: &mut Conn, job: &Job) -> Result<bool, StoreError> {
    let update = sqlx::query!(
        "UPDATE jobs SET lease_id = NULL, lease_until = NULL, attempts = attempts - 1 WHERE id = $1 AND lease_id = $2",
        job.id,
        job.lease
    );
    Ok(conn.execute(Query::UpdateJobs, update).await? == 1)
}

/// Gives back every job of a lease, without counting an attempt. The replica calls this if it received no result from [`lease`].
pub async fn give_back_all(conn: &mut Conn, lease: Uuid) -> Result<(), StoreError> {
    let update = sqlx::query!("UPDATE jobs SET lease_id = NULL, lease_until = NULL, attempts = attempts - 1 WHERE lease_id = $1", lease);
    conn.execute(Query::UpdateJobs, update).await.map(drop)
}

pub async fn pending(conn: &mut Conn) -> Result<Vec<Pending>, StoreError> {
    let select = sqlx::query_as!(
        Pending,
        r#"SELECT kind, count(*) AS "count!",
                  greatest(0, extract(epoch FROM now() - min(run_at) FILTER (WHERE lease_until IS NULL OR lease_until < now())))::float8
                      AS "seconds_due!"
           FROM jobs WHERE died_at IS NULL GROUP BY kind"#
    );
    conn.all(Query::SelectJobs, select).await
}

/// Deletes at most 1,000 dead letters that are older than 30 days.
pub async fn forget_dead(conn: &mut Conn) -> Result<(), StoreError> {
    let delete = sqlx::query!("DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE died_at < now() - interval '30 days' LIMIT 1000)");
    conn.execute(Query::DeleteJobs, delete).await.map(drop)
}
