//! The logs of environments: one replica at a time follows each log. No failure of a replica, a connection or
//! Postgres loses or repeats a line.
//!
//! The driver `sim` can generate the lines of a run again, so the tests can compare the stored lines with the written ones.

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use vitrine::domain::LogStream;
use vitrine::features::environments::logs;
use vitrine::metrics::labels::Query;

use crate::support::log_fixture::{Fixture, Text, texts};
use crate::support::{Ask, Mode, Studio, TestApp, eventually, when};

#[tokio::test]
async fn the_output_of_an_environment_is_stored_in_order_and_read_in_pages() {
    let fixture = Fixture::new(1, 200, &[]).await;
    let replica = fixture.replica(&[]);
    fixture.until_stored(fixture.environment(), 300).await;
    fixture.assert_complete(&[&replica]).await;

    let mut conn = fixture.db.acquire().await.unwrap();
    let (numbers, stored) = fixture.stored(fixture.environment()).await;
    let (mut after, mut read) = (0, Vec::new());
    loop {
        let part = logs::read(&mut conn, fixture.environment(), Some(after), 100).await.unwrap();
        let Some(last) = part.last() else { break };
        assert!(part.len() <= 100 && part[0].seq == after + 1);
        after = last.seq;
        read.extend(part.into_iter().map(|entry| (entry.stream, entry.line)));
    }
    assert_eq!(read, stored);
    let tail = logs::read(&mut conn, fixture.environment(), None, 10).await.unwrap();
    assert_eq!(tail.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (numbers.end() - 9..=*numbers.end()).collect::<Vec<_>>());
    let written = fixture.written(fixture.environment(), usize::MAX).await;
    let microseconds = |at: OffsetDateTime| at.unix_timestamp_nanos() / 1000;
    assert!(tail.iter().zip(&written[written.len() - 10..]).all(|(entry, line)| microseconds(entry.at) == microseconds(line.at)));
}

#[tokio::test]
async fn replicas_share_the_logs_and_each_line_is_stored_once() {
    let fixture = Fixture::new(6, 100, &[]).await;
    let replicas = [fixture.replica(&[]), fixture.replica(&[])];
    for environment in &fixture.environments {
        fixture.until_stored(*environment, 200).await;
    }
    assert_eq!(fixture.followed().await, 6);
    fixture.assert_complete(&[&replicas[0], &replicas[1]]).await;
}

#[tokio::test]
async fn another_replica_continues_the_logs_of_a_killed_one() {
    let fixture = Fixture::new(3, 500, &[]).await;
    let first = fixture.replica(&[]);
    for environment in &fixture.environments {
        fixture.until_stored(*environment, 500).await;
    }
    let second = fixture.replica(&[]);
    let first = first.kill();
    eventually("the other replica stores lines", async || when(second.stored() > 0.0)).await;
    for environment in &fixture.environments {
        let before = fixture.stored(*environment).await.1.len();
        fixture.until_stored(*environment, before + 500).await;
    }
    // The killed replica may have committed lines without counting them. The other replica must not count these lines.
    let (counted, rows) = (first.stored() + second.stored(), "SELECT sum(last_seq)::bigint FROM log_streams");
    assert!(counted <= fixture.stores.count(rows).await as f64);
    for environment in &fixture.environments {
        fixture.stop(*environment).await;
    }
    fixture.until_released().await;
    for environment in &fixture.environments {
        assert!(fixture.stored(*environment).await.1 == texts(&fixture.written(*environment, usize::MAX).await));
    }
}

#[tokio::test]
async fn a_stopping_replica_releases_its_logs_at_once() {
    let fixture = Fixture::new(3, 500, &[]).await;
    let first = fixture.replica(&[]);
    for environment in &fixture.environments {
        fixture.until_stored(*environment, 100).await;
    }
    first.follower.leave().await;
    assert_eq!(fixture.followed().await, 0);
    let second = fixture.replica(&[]);
    eventually("the other replica follows the logs", async || when(fixture.followed().await == 3)).await;
    eventually("the other replica stores lines", async || when(second.stored() > 300.0)).await;
    assert!(!first.following.is_finished(), "the task of the follower must not end");
    fixture.assert_complete(&[&first, &second]).await;
}

#[tokio::test]
async fn an_outage_of_postgres_loses_and_duplicates_no_line() {
    for outage in [Mode::Refuse, Mode::Hang] {
        let fixture = Fixture::new(2, 500, &[]).await;
        let (replica, postgres) = fixture.replica_behind_a_proxy().await;
        fixture.until_stored(fixture.environment(), 500).await;
        postgres.set(outage).await;
        let before = fixture.written(fixture.environment(), 500).await.len() + fixture.stored(fixture.environment()).await.1.len();
        fixture.until_written(fixture.environment(), before + 1500).await;
        postgres.set(Mode::Pass).await;
        fixture.until_stored(fixture.environment(), before + 1500).await;
        fixture.assert_complete(&[&replica]).await;
    }
}

#[tokio::test]
async fn lines_of_a_commit_whose_answer_was_lost_are_stored_and_counted_once() {
    let fixture = Fixture::new(2, 500, &[]).await;
    let (replica, postgres) = fixture.replica_behind_a_proxy().await;
    for _ in 0..3 {
        let before = fixture.stored(fixture.environment()).await.1.len();
        fixture.until_stored(fixture.environment(), before + 100).await;
        postgres.set(Mode::HoldAnswersWith(b"COMMIT\0".to_vec())).await;
        postgres.until_holding().await;
        postgres.lose();
        postgres.set(Mode::Pass).await;
    }
    fixture.assert_complete(&[&replica]).await;
    assert!(replica.scrape().get("db_queries_total", &[("operation", "commit"), ("status", "timeout")]) >= 1.0);
}

#[tokio::test]
async fn connections_that_break_again_and_again_lose_no_line() {
    let fixture = Fixture::new(3, 500, &[]).await;
    let (replica, postgres) = fixture.replica_behind_a_proxy().await;
    for _ in 0..5 {
        let before = fixture.stored(fixture.environment()).await.1.len();
        fixture.until_stored(fixture.environment(), before + 100).await;
        postgres.cut();
    }
    fixture.assert_complete(&[&replica]).await;
}

#[tokio::test]
async fn the_limit_per_second_uses_the_times_of_the_lines_and_dropped_lines_are_counted() {
    let fixture = Fixture::new(1, 20_000, &["--log-lines-per-second=1000", "--log-lines-kept=100000"]).await;
    let environment = fixture.environment();
    let replica = fixture.replica(&[]);
    fixture.until_stored(environment, 3000).await;
    // Another replica continues in the middle of a second, with the counts of that second.
    replica.follower.leave().await;
    let second = fixture.replica(&[]);
    let before = fixture.stored(environment).await.1.len();
    fixture.until_stored(environment, before + 2000).await;
    fixture.stop(environment).await;
    fixture.until_released().await;

    let (mut expected, mut dropped) = (Vec::new(), 0);
    let written = fixture.written(environment, usize::MAX).await;
    for lines in written.chunk_by(|a, b| a.at.unix_timestamp() == b.at.unix_timestamp()) {
        let kept = lines.len().min(1000);
        expected.extend(texts(&lines[..kept]));
        dropped += lines.len() - kept;
    }
    let (_, stored) = fixture.stored(environment).await;
    let (system_lines, stored): (Vec<Text>, Vec<Text>) = stored.into_iter().partition(|text| text.0 == LogStream::System);
    assert!(stored == expected, "the first lines of each second must be stored: {} of {}", stored.len(), expected.len());
    let count = |text: &Text| text.1.strip_suffix(" lines dropped: more than 1000 in one second").unwrap().parse::<usize>().unwrap();
    assert_eq!(system_lines.iter().map(count).sum::<usize>(), dropped);
    let counted = |name| replica.scrape().get(name, &[]) + second.scrape().get(name, &[]);
    assert_eq!(counted("log_entries_dropped_total"), dropped as f64);
    assert_eq!(counted("log_entries_total"), (stored.len() + system_lines.len()) as f64);
    assert!(dropped > 10_000, "the environment must exceed its limit by far: {dropped}");
}

#[tokio::test]
async fn a_log_keeps_its_last_lines_and_no_more() {
    let fixture = Fixture::new(1, 1000, &["--log-lines-kept=200"]).await;
    let environment = fixture.environment();
    let replica = fixture.replica(&[]);
    let last = "SELECT last_seq FROM log_streams";
    eventually("ten times as many lines were written as are kept", async || {
        let (numbers, stored) = fixture.stored(environment).await;
        assert!(stored.len() <= 200, "{}", stored.len());
        when(*numbers.end() > 2000)
    })
    .await;
    let mut conn = fixture.db.acquire().await.unwrap();
    for _ in 0..5 {
        logs::append_system(&mut conn, environment, "said\0 by\nVitrine").await.unwrap();
    }
    let before = fixture.stores.count(last).await;
    eventually("the writer has continued", async || when(fixture.stores.count(last).await > before + 200)).await;
    fixture.stop(environment).await;
    fixture.until_released().await;
    let (numbers, stored) = fixture.stored(environment).await;
    assert_eq!(stored.len(), 200);
    let written = texts(&fixture.written(environment, usize::MAX).await);
    assert_eq!(usize::try_from(*numbers.end()).unwrap(), written.len() + 5, "system lines must have numbers, too");
    assert!(stored == written[written.len() - 200..]);

    // A lower limit takes effect when a replica next follows the log.
    logs::append_system(&mut conn, environment, "said\0 by\nVitrine").await.unwrap();
    replica.follower.leave().await;
    let _smaller = fixture.replica(&["--log-lines-kept=50", "--sim-lines-per-second=0.001"]);
    fixture.set_status(environment, "running").await;
    eventually("the log is smaller", async || when(fixture.stored(environment).await.1.len() == 50)).await;
    assert_eq!(fixture.stored(environment).await.1.last().unwrap(), &(LogStream::System, "said byVitrine".to_owned()));
}

#[tokio::test]
async fn a_restarted_container_continues_the_same_log() {
    let fixture = Fixture::new(1, 200, &[]).await;
    let environment = fixture.environment();
    let replica = fixture.replica(&[]);
    fixture.until_stored(environment, 100).await;
    fixture.stop(environment).await;
    fixture.until_released().await;
    let mut written = texts(&fixture.written(environment, usize::MAX).await);
    assert_eq!(fixture.stored(environment).await.1, written);
    fixture.start(environment).await;
    fixture.until_stored(environment, written.len() + 100).await;
    fixture.stop(environment).await;
    fixture.until_released().await;
    written.extend(texts(&fixture.written(environment, usize::MAX).await));
    assert_eq!(fixture.stored(environment).await.1, written);
    assert!(replica.ended.lock().unwrap().is_empty(), "no running environment may be reported as ended");
}

#[tokio::test]
async fn an_unobserved_restart_loses_no_line_of_the_new_run() {
    let fixture = Fixture::new(1, 200, &[]).await;
    let environment = fixture.environment();
    let _replica = fixture.replica(&[]);
    fixture.until_stored(environment, 100).await;
    fixture.engine.restart(environment).await.unwrap();
    let before = fixture.stored(environment).await.1.len();
    fixture.until_stored(environment, before + 200).await;
    fixture.stop(environment).await;
    fixture.until_released().await;
    let (_, mut earlier) = fixture.stored(environment).await;
    let new = texts(&fixture.written(environment, usize::MAX).await);
    let stored = earlier.split_off(earlier.len() - new.len());
    assert!(stored == new);
    // Each line begins with its number within its run.
    assert!(earlier.iter().enumerate().all(|(number, text)| text.1.starts_with(&format!("{number} "))));
}

#[tokio::test]
async fn an_unexpected_end_of_output_is_reported_and_the_log_resumed() {
    let fixture = Fixture::new(1, 200, &[]).await;
    let environment = fixture.environment();
    let replica = fixture.replica(&[]);
    fixture.until_stored(environment, 100).await;
    fixture.engine.stop(environment).await.unwrap();
    let dead = texts(&fixture.written(environment, usize::MAX).await);
    eventually("the end is reported", async || when(replica.ended.lock().unwrap().contains(&environment))).await;
    eventually("the last line is stored", async || when(fixture.stored(environment).await.1 == dead)).await;
    assert_eq!(fixture.followed().await, 1);
    fixture.engine.start(environment).await.unwrap();
    fixture.until_stored(environment, dead.len() + 100).await;
    fixture.stop(environment).await;
    fixture.until_released().await;
    let both = [dead, texts(&fixture.written(environment, usize::MAX).await)].concat();
    assert_eq!(fixture.stored(environment).await.1, both);
}

#[tokio::test]
async fn a_log_is_released_after_a_status_change_even_if_the_environment_still_writes() {
    let fixture = Fixture::new(1, 200, &[]).await;
    let environment = fixture.environment();
    let replica = fixture.replica(&[]);
    fixture.until_stored(environment, 100).await;
    fixture.set_status(environment, "error").await;
    fixture.until_released().await;
    let stored = fixture.stored(environment).await.1;
    fixture.start(environment).await;
    fixture.until_stored(environment, stored.len() + 100).await;
    fixture.assert_complete(&[&replica]).await;
}

#[tokio::test]
async fn an_environment_that_is_removed_while_it_writes_leaves_no_log_entries() {
    let fixture = Fixture::new(2, 500, &[]).await;
    let replica = fixture.replica(&[]);
    for environment in &fixture.environments {
        fixture.until_stored(*environment, 100).await;
    }
    sqlx::query("DELETE FROM environments WHERE id = $1").bind(fixture.environments[1]).execute(fixture.stores.pool()).await.unwrap();
    let before = fixture.stored(fixture.environments[0]).await.1.len();
    fixture.until_stored(fixture.environments[0], before + 500).await;
    assert_eq!(fixture.stores.count("SELECT count(DISTINCT environment_id) FROM log_entries").await, 1);
    assert_eq!(replica.scrape().get("db_queries_total", &[("status", "error")]), 0.0);
}

#[tokio::test]
async fn a_change_of_an_environment_and_the_writer_of_its_log_do_not_deadlock() {
    let fixture = Fixture::new(1, 500, &[]).await;
    let environment = fixture.environment();
    let replica = fixture.replica(&[]);
    fixture.until_stored(environment, 100).await;
    // Locks in the same order as a job: first the environment, then its log.
    let mut change = fixture.db.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM environments WHERE id = $1 FOR UPDATE").bind(environment);
    change.execute(Query::SelectEnvironments, lock).await.unwrap();
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("the writer waits for the environment", async || when(fixture.stores.count(blocked).await > 0)).await;
    logs::append_system(&mut change, environment, "changed").await.unwrap();
    change.commit().await.unwrap();
    let before = fixture.stored(environment).await.1.len();
    fixture.until_stored(environment, before + 100).await;
    assert_eq!(replica.scrape().get("db_queries_total", &[("status", "error")]), 0.0);
}

#[tokio::test]
async fn a_log_is_read_from_its_end_or_after_a_given_number() {
    let app = TestApp::with(&["--sim-lines-per-second=200"]).await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    let read =
        async |query: String| studio.request(Method::GET, &format!("/api/environments/{id}/logs{query}")).answer().await.expect(200).json();
    let numbers = |part: &Value| part["items"].as_array().unwrap().iter().map(|item| item["seq"].as_i64().unwrap()).collect::<Vec<_>>();
    eventually("lines are stored", async || when(read(String::new()).await["next_after"].as_i64() > Some(150))).await;
    studio.operate(&id, "stop").await.expect(202);
    studio.until(&id, "stopped").await;
    let followed = "SELECT count(*) FROM log_streams WHERE followed_until > now()";
    eventually("the last line is stored", async || when(app.stores.count(followed).await == 0)).await;

    let tail = read(String::new()).await;
    let last = tail["next_after"].as_i64().unwrap();
    assert_eq!(numbers(&tail), (last - 99..=last).collect::<Vec<_>>());
    assert_eq!(numbers(&read("?limit=1".to_owned()).await), [last]);
    let part = read("?after=10&limit=5".to_owned()).await;
    assert_eq!((numbers(&part), &part["next_after"]), (vec![11, 12, 13, 14, 15], &json!(15)));
    assert_eq!(read(format!("?after={last}")).await, json!({ "items": [], "next_after": last }));
    let all = read("?after=0&limit=1000".to_owned()).await;
    assert_eq!(numbers(&all)[..100], (1..=100).collect::<Vec<_>>());
    let line = all["items"].as_array().unwrap().iter().find(|item| item["stream"] == "stdout").unwrap();
    let at = line["at"].as_str().and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok()).expect("not an RFC 3339 time");
    assert_eq!(*line, json!({ "seq": line["seq"], "stream": "stdout", "line": line["line"], "at": line["at"] }));
    assert!(at < OffsetDateTime::now_utc() && line["line"].as_str().unwrap().contains(" GET /"));
}

#[tokio::test]
async fn an_invalid_log_query_is_refused() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let path = format!("/api/environments/{}/logs", studio.environment("web").await);
    for query in
        ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit=", "after=-1", "after=1.5", "after=x", "after=9223372036854775808"]
    {
        studio.request(Method::GET, &format!("{path}?{query}")).answer().await.problem(400, "invalid_query");
    }
    let far = studio.request(Method::GET, &format!("{path}?after=9223372036854775807")).answer().await.expect(200).json();
    assert_eq!(far, json!({ "items": [], "next_after": i64::MAX }));
}
