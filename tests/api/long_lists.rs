//! Long lists: a request for a page reads only a few rows for each item, wherever the page is in the list. A worker reads a limited number
//! of rows for each job, however many jobs wait. Postgres counts the rows that statements read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use time::OffsetDateTime;
use uuid::Uuid;
use vitrine::domain::paging::{Cursor, Moment};

use crate::support::{Ask, Stores, TestApp, User, eventually, when};

const ROWS: i64 = 20_000;
/// Repetitions of each request. Postgres plans each of the first five executions of a prepared statement for its parameters. Only later
/// executions can use a generic plan, which may read more rows.
const TIMES: i64 = 8;
const ENVIRONMENT: &str = "01900000-0000-7000-c000-000000000001";
/// Rows that a request for a page of 20 may read: 21 from each of two tables, and a margin.
const ROWS_OF_A_REQUEST: i64 = 50;

/// Number of waiting jobs, each in a lane of its own.
const JOBS: i64 = 500;
/// Rows that the statements for one job may read, from its lease to its end. The statement that leases jobs also reads running jobs.
const ROWS_OF_A_JOB: i64 = 100;

/// Inserts published projects of one user, and a log with as many lines. No foreign key is checked, so that only requests read rows.
async fn fill(stores: &Stores, user: &User) {
    let statements = format!(
        "SET session_replication_role = replica;
         INSERT INTO projects (id, owner_id, name, slug, visibility, published_at)
             SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '{user}', 'Project ' || n, 'project-' || n, 'public',
                    to_timestamp(1767225600 + n)
             FROM generate_series(1, {ROWS}) n;
         INSERT INTO project_members (project_id, user_id, role)
             SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '{user}', 'owner' FROM generate_series(1, {ROWS}) n;
         INSERT INTO environments (id, project_id, created_by, name, image, driver, status)
             VALUES ('{ENVIRONMENT}', '01900000-0000-7000-8000-000000000001', '{user}', 'Log', 'busybox:1.37', 'sim', 'stopped');
         INSERT INTO log_entries (environment_id, seq, stream, line, at)
             SELECT '{ENVIRONMENT}', n, 'stdout', 'Line ' || n, now() FROM generate_series(1, {ROWS}) n;
         ANALYZE projects, project_members, log_entries;
         SET session_replication_role = DEFAULT",
        user = user.id
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(stores.pool()).await.unwrap();
}

/// The paths of pages that begin after this number of items.
fn pages(skipped: i64) -> [String; 3] {
    let before = u64::try_from(ROWS - skipped + 1).unwrap();
    let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(before));
    let at = OffsetDateTime::from_unix_timestamp(1_767_225_600 + i64::try_from(before).unwrap()).unwrap();
    let encode = |cursor: Vec<u8>| URL_SAFE_NO_PAD.encode(cursor);
    [
        format!("/api/projects?cursor={}", encode(id.to_cursor())),
        format!("/api/showcase?cursor={}", encode(Moment { at, id }.to_cursor())),
        format!("/api/environments/{ENVIRONMENT}/logs?limit=20&after={skipped}"),
    ]
}

#[tokio::test]
async fn a_page_at_any_position_reads_few_rows() {
    let stores = Stores::new().await;
    let app = TestApp::on(&stores, &[]).await;
    let ada = app.user("ada").await;
    fill(&stores, &ada).await;
    let mut requests = 0;
    for _ in 0..TIMES {
        for path in [ROWS / 2, ROWS - 20].map(pages).as_flattened() {
            let page = app.as_user(&ada, Method::GET, path).answer().await.expect(200).json();
            assert_eq!(page["items"].as_array().unwrap().len(), 20, "{path}");
            requests += 1;
        }
    }
    let rows = rows_read(&stores, app, "'projects', 'project_members', 'log_entries'").await;
    assert!((requests * 20..=requests * ROWS_OF_A_REQUEST).contains(&rows), "{requests} requests read {rows} rows");
}

#[tokio::test]
async fn a_worker_reads_few_rows_for_a_job_however_many_jobs_wait_in_other_lanes() {
    let stores = Stores::new().await;
    let app = TestApp::on(&stores, &[]).await;
    let ada = app.user("ada").await;
    fill(&stores, &ada).await;
    // Postgres collects its statistics of the table while no job waits, as is usual in operation.
    let fill = format!(
        "INSERT INTO jobs (kind, payload, lane, died_at) SELECT 'environment_change', '{{}}', 'lane ' || n, now() FROM generate_series(1, {JOBS}) n;
         ANALYZE jobs;
         INSERT INTO jobs (kind, payload, lane)
             SELECT 'environment_change', '{{\"environment\": \"{ENVIRONMENT}\", \"operation\": \"stop\", \"version\": 0}}', 'lane ' || n
             FROM generate_series(1, {JOBS}) n"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(fill)).execute(stores.pool()).await.unwrap();
    let waiting = "SELECT count(*) FROM jobs WHERE lane LIKE 'lane %' AND died_at IS NULL";
    eventually("the jobs end", async || when(stores.count(waiting).await == 0)).await;
    assert_eq!(stores.count("SELECT count(*) FROM jobs WHERE died_at IS NOT NULL").await, JOBS, "no waiting job may fail");
    let rows = rows_read(&stores, app, "'jobs'").await;
    assert!((JOBS..=JOBS * ROWS_OF_A_JOB).contains(&rows), "{JOBS} jobs read {rows} rows");
}

/// Stops the service and returns how many rows of these tables were read.
async fn rows_read(stores: &Stores, app: TestApp, tables: &str) -> i64 {
    app.leave().await.unwrap();
    // Until a connection closes, the statistics of Postgres may lack rows that this connection has read.
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'vitrine-%'";
    eventually("the connections of the service are closed", async || when(stores.count(others).await == 0)).await;
    let read = format!("SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables WHERE relname IN ({tables})");
    sqlx::query_scalar(sqlx::AssertSqlSafe(read)).fetch_one(stores.pool()).await.unwrap()
}
