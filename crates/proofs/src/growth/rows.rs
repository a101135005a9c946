//! Long tables: a page must cost about the same at any length of its list, and a job at any number of finished jobs.
//! Each size has its own database and replica. All replicas share the stores, and only one of them is under load at a time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::curve::Curve;
use super::setup::{Replica, Setup};
use devstack::http::send;
use devstack::process::rest;

/// Items of a page. Not the default number, because the service caches the first page of the showcase with the default number of items.
const PAGE: u64 = 50;
const CONNECTIONS: u32 = 16;
/// A page or a job may cost at most this many times as much as at any smaller size.
const LIMIT: f64 = 1.2;
/// Jobs that are inserted together.
const JOBS: u32 = 2_000;
const JOBS_LIMIT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(500);
/// The start of 2026 as a Unix time, in seconds.
const EPOCH: u64 = 1_767_225_600;
/// The identifier of project number n is this plus n.
const PROJECTS: u128 = 0x0190_0000_0000_7000_8000_0000_0000_0000;
const ENVIRONMENT: &str = "01900000-0000-7000-c000-000000000001";

/// Fills a database: published projects of one account, lines in the log of an environment, and jobs that ended, half of them successfully
/// (their rows are deleted) and half of them as dead letters (their rows stay).
const FILL: &str = "
SET session_replication_role = replica;
DELETE FROM projects;
DELETE FROM project_members;
INSERT INTO projects (id, owner_id, name, slug, description, visibility, published_at)
    SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '01900000-0000-7000-a000-000000000001',
           'Project ' || lpad(n::text, 7, '0'), 'project-' || lpad(n::text, 7, '0'), 'One of many, with a line of text.',
           'public', to_timestamp(:epoch + n)
    FROM generate_series(1, :rows) n;
INSERT INTO project_members (project_id, user_id, role) SELECT id, owner_id, 'owner' FROM projects;
INSERT INTO environments (id, project_id, created_by, name, image, driver, status, version)
    SELECT :environment, id, owner_id, 'Log', 'busybox:1.37', 'sim', 'stopped', 2
    FROM projects WHERE slug = 'project-0000001';
INSERT INTO log_streams (environment_id, last_seq) VALUES (:environment, :rows);
INSERT INTO log_entries (environment_id, seq, stream, line, at)
    SELECT :environment, n, 'stdout', 'Line ' || lpad(n::text, 7, '0'), to_timestamp(:epoch + n) FROM generate_series(1, :rows) n;
INSERT INTO jobs (kind, payload, attempts, last_error, died_at)
    SELECT 'environment_change', '{}', 5, 'one of many', now() FROM generate_series(1, :rows / 2);
INSERT INTO jobs (kind, payload) SELECT 'environment_change', '{}' FROM generate_series(1, :rows / 2);
DELETE FROM jobs WHERE died_at IS NULL;
";

/// Superseded jobs: their environment has a newer version. Workers claim them, find nothing to do, and finish them.
const ENQUEUE: &str = "
INSERT INTO jobs (kind, payload, lane)
    SELECT 'environment_change', '{\"environment\": \":environment\", \"operation\": \"stop\", \"version\": 1}', 'lane ' || n
    FROM generate_series(1, :jobs) n";

/// A replica with a database of one size.
struct FilledReplica {
    rows: u64,
    replica: Replica,
}

/// A list whose pages are read.
#[derive(Clone, Copy)]
enum List {
    Projects,
    Showcase,
    Log,
}

/// The position of a page.
#[derive(Clone, Copy)]
enum Position {
    First,
    Deep,
    Last,
}

impl Position {
    /// Number of items before the page.
    const fn skipped(self, rows: u64) -> u64 {
        match self {
            Self::First => 0,
            Self::Deep => rows / 2,
            Self::Last => rows - PAGE,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Deep => "deep",
            Self::Last => "last",
        }
    }
}

impl List {
    const fn name(self) -> &'static str {
        match self {
            Self::Projects => "the project list",
            Self::Showcase => "the showcase",
            Self::Log => "a log",
        }
    }

    /// The path of a full page.
    fn path(self, position: Position, rows: u64) -> String {
        let skipped = position.skipped(rows);
        // Projects are listed newest first: the cursor is the last item of the page before.
        let before = rows - skipped + 1;
        let cursor = |bytes: &[u8]| if skipped == 0 { String::new() } else { format!("&cursor={}", URL_SAFE_NO_PAD.encode(bytes)) };
        let id = (PROJECTS + u128::from(before)).to_be_bytes();
        match self {
            Self::Projects => format!("/api/projects?limit={PAGE}{}", cursor(&id)),
            Self::Showcase => {
                let micros = ((EPOCH + before) * 1_000_000).to_be_bytes();
                format!("/api/showcase?limit={PAGE}{}", cursor(&[&micros[..], &id].concat()))
            }
            Self::Log => format!("/api/environments/{ENVIRONMENT}/logs?limit={PAGE}&after={skipped}"),
        }
    }
}

/// Measures all lists, then jobs.
pub fn measure(setup: &mut Setup<'_>, sizes: &[u64]) -> Result<Vec<Curve>> {
    let replicas = sizes.iter().enumerate().map(|(number, rows)| open(setup, *rows, number)).collect::<Result<Vec<_>>>()?;
    let mut curves = Vec::new();
    for list in [List::Projects, List::Showcase, List::Log] {
        for position in [Position::First, Position::Deep, Position::Last] {
            let what = format!("CPU of the {} page of {}", position.name(), list.name());
            curves.push(pages(setup, &replicas, Curve::new(what, "rows", LIMIT), list, position)?);
        }
    }
    curves.push(jobs(setup, &replicas)?);
    Ok(curves)
}

/// Creates and fills the database of a size, and starts its replica.
fn open(setup: &Setup<'_>, rows: u64, number: usize) -> Result<FilledReplica> {
    eprintln!("    filling {rows} rows");
    let replica = setup.start(&format!("rows-{rows}"), number, |database| {
        // Without VACUUM and CHECKPOINT here, autovacuum and the checkpointer could run during a measurement and add to its cost.
        for statements in [&*with_parameters(FILL, rows), "VACUUM ANALYZE", "CHECKPOINT"] {
            setup.fixture.psql(database, statements)?;
        }
        Ok(())
    })?;
    Ok(FilledReplica { rows, replica })
}

fn with_parameters(statements: &str, rows: u64) -> String {
    let environment = format!("'{ENVIRONMENT}'");
    statements.replace(":environment", &environment).replace(":rows", &rows.to_string()).replace(":epoch", &EPOCH.to_string())
}

/// CPU of the replica and the stores per request.
fn pages(setup: &mut Setup<'_>, replicas: &[FilledReplica], mut curve: Curve, list: List, position: Position) -> Result<Curve> {
    let urls: Vec<String> =
        replicas.iter().map(|filled| format!("{}{}", filled.replica.running.url, list.path(position, filled.rows))).collect();
    for url in &urls {
        expect_page(url, &setup.fixture.token)?;
        setup.scripts.read(url, &setup.fixture.token, CONNECTIONS, 1)?;
    }
    for _ in 0..setup.rounds {
        for (filled, url) in replicas.iter().zip(&urls) {
            let (scripts, token, seconds) = (&setup.scripts, &setup.fixture.token, setup.seconds);
            let processes = setup.processes(&filled.replica);
            let micros = setup.meter.micros(&processes, || Ok(scripts.read(url, token, CONNECTIONS, seconds)?.requests))?;
            curve.add(filled.rows, micros);
        }
    }
    eprintln!("    {}: {}", curve.what, curve.outcome().note);
    Ok(curve)
}

/// CPU of the replica and the stores per job, from its insertion to its end.
fn jobs(setup: &mut Setup<'_>, replicas: &[FilledReplica]) -> Result<Curve> {
    let mut curve = Curve::new("CPU of claiming and finishing a job", "finished jobs", LIMIT);
    let enqueue = ENQUEUE.replace(":environment", ENVIRONMENT).replace(":jobs", &JOBS.to_string());
    // Round 0 opens connections and prepares statements, so its figures do not count.
    for round in 0..=setup.rounds {
        for filled in replicas {
            let (fixture, processes) = (setup.fixture, setup.processes(&filled.replica));
            let micros = setup.meter.micros(&processes, || {
                fixture.psql(&filled.replica.database, &enqueue)?;
                await_end(|| Ok(fixture.psql(&filled.replica.database, "SELECT count(*) FROM jobs WHERE died_at IS NULL")?.trim() == "0"))?;
                Ok(f64::from(JOBS))
            })?;
            if round > 0 {
                curve.add(filled.rows, micros);
            }
        }
    }
    let dead = |filled: &FilledReplica| {
        setup
            .fixture
            .psql(&filled.replica.database, "SELECT count(*) FROM jobs WHERE died_at IS NOT NULL")
            .map(|rows| rows.trim().to_owned())
    };
    for filled in replicas {
        ensure!(dead(filled)? == (filled.rows / 2).to_string(), "some of the measured jobs failed");
    }
    eprintln!("    {}: {}", curve.what, curve.outcome().note);
    Ok(curve)
}

/// Waits until no unfinished job is left. Polls rarely, because each query uses CPU time of Postgres.
fn await_end(mut ended: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !ended()? {
        ensure!(start.elapsed() < JOBS_LIMIT, "the jobs did not end in time");
        rest(POLL)?;
    }
    Ok(())
}

/// Fails unless the URL returns a full page: the cost of a shorter page or of an error must not be measured.
fn expect_page(url: &str, token: &str) -> Result<()> {
    let page = send("GET", url, &[("authorization", &format!("Bearer {token}"))], None)?;
    let found = page.json()?["items"].as_array().with_context(|| format!("{url}: {}", page.body))?.len();
    ensure!(found as u64 == PAGE, "{url} returned {found} items, not {PAGE}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_point_at_the_item_before_the_page() {
        assert_eq!(List::Projects.path(Position::First, 1000), "/api/projects?limit=50");
        assert_eq!(List::Log.path(Position::Last, 1000), format!("/api/environments/{ENVIRONMENT}/logs?limit=50&after=950"));
        let path = List::Projects.path(Position::Last, 1000);
        let (_, cursor) = path.split_once("&cursor=").unwrap();
        // The last page holds the projects 50 to 1.
        assert_eq!(URL_SAFE_NO_PAD.decode(cursor).unwrap(), (PROJECTS + 51).to_be_bytes());
    }

    #[test]
    fn statements_have_no_parameters_left() {
        let statements = with_parameters(FILL, 1000);
        assert!([":environment", ":rows", ":epoch"].iter().all(|name| !statements.contains(name)), "{statements}");
    }
}
