//! The guarantees of background jobs, for handlers and for the code that enqueues jobs. See `job_lanes` for lanes and unique keys, and
//! `chaos_jobs` for failures of replicas and Postgres.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sqlx::AssertSqlSafe;
use vitrine::jobs::{self, Failure, LeasePolicy, NewJob};
use vitrine::metrics::exporter::Exporter;
use vitrine::metrics::labels::JobKind;

use crate::support::jobs::{Fixture, Gate, Work, effect, job, quick};
use crate::support::{Scrape, eventually, when};

#[tokio::test]
async fn a_job_runs_after_its_commit_and_never_when_its_transaction_was_rolled_back() {
    let fixture = Fixture::new().await;
    let _replica = fixture.replica(quick(), 2, effect);
    let mut rolled_back = fixture.db.begin().await.unwrap();
    fixture.queue.enqueue(&mut rolled_back, &job("rolled back")).await.unwrap();
    drop(rolled_back);
    let mut open = fixture.db.begin().await.unwrap();
    fixture.queue.enqueue(&mut open, &job("committed late")).await.unwrap();
    fixture.enqueue(&[job("committed")]).await;
    fixture.until_done().await;
    assert_eq!(fixture.effects().await, ["committed"]);
    open.commit().await.unwrap();
    fixture.until_done().await;
    assert_eq!(fixture.effects().await, ["committed", "committed late"]);
}

#[tokio::test]
async fn a_notification_starts_a_job_before_the_next_poll() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(LeasePolicy { poll_interval: Duration::from_hours(1), ..quick() }, 2, async |work: Work| {
        work.effect().await?;
        if work.name == "first" {
            let mut tx = work.db.begin().await?;
            work.queue.enqueue(&mut tx, &job("second")).await?;
            tx.commit().await?;
            work.queue.wake();
        }
        Ok(())
    });
    fixture.enqueue(&[job("first")]).await;
    replica.queue().wake();
    eventually("both jobs have run", async || when(fixture.effects().await == ["first", "second"])).await;
}

#[tokio::test]
async fn an_attempt_that_fails_before_its_commit_has_no_effect_and_is_retried() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(quick(), 2, async |work: Work| {
        if work.attempt().await == 1 {
            let mut tx = work.begin().await?;
            work.job.complete(&mut tx).await?;
            return Err(Failure::retry("not yet"));
        }
        work.effect().await
    });
    fixture.enqueue(&[job("once")]).await;
    fixture.until_done().await;
    assert_eq!(fixture.effects().await, ["once"]);
    replica.until_attempts(&[("retry", 1), ("success", 1)]).await;
}

#[tokio::test]
async fn an_attempt_that_fails_after_its_commit_is_a_success() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(quick(), 2, async |work: Work| {
        work.effect().await?;
        match work.name.as_str() {
            "failed" => Err(Failure::retry("too late")),
            "for good" => Err(Failure::Permanent("too late".to_owned())),
            _ => panic!("on purpose"),
        }
    });
    fixture.enqueue(&[job("failed"), job("for good"), job("panicked")]).await;
    replica.until_attempts(&[("success", 3)]).await;
    assert!(fixture.holds("SELECT count(*) = 0 FROM jobs").await);
    assert!(fixture.holds("SELECT count(*) = 0 FROM given_up").await, "`give_up` must have no effect on a completed job");
    assert_eq!(fixture.effects().await.len(), 3);
}

#[tokio::test]
async fn a_handler_without_an_effect_in_the_database_need_not_complete_its_job() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(quick(), 2, async |_| Ok(()));
    fixture.enqueue(&[job("elsewhere")]).await;
    fixture.until_done().await;
    replica.until_attempts(&[("success", 1)]).await;
}

#[tokio::test]
async fn many_jobs_are_done_once_each_by_three_replicas() {
    let fixture = Fixture::new().await;
    let replicas = [(); 3].map(|()| fixture.replica(quick(), 4, effect));
    let names: Vec<String> = (0..50).map(|number| format!("job {number:02}")).collect();
    join_all(names.chunks(5).map(async |names| fixture.enqueue(&names.iter().map(|name| job(name)).collect::<Vec<_>>()).await)).await;
    fixture.until_done().await;
    let mut effects = fixture.effects().await;
    effects.sort();
    assert_eq!(effects, names);
    eventually("every success is counted", async || when(replicas.iter().map(|replica| replica.attempts("success")).sum::<f64>() == 50.0))
        .await;
    let all = replicas.iter().map(|replica| replica.scrape().get("jobs_total", &[])).sum::<f64>();
    assert_eq!(all, 50.0, "no other outcome may be counted");
}

#[tokio::test]
async fn pauses_are_random_within_growing_bounds_and_the_fifth_failure_is_the_last() {
    let fixture = Fixture::new().await;
    let watch = "CREATE TABLE pauses (attempt integer, pause double precision);
                 CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     INSERT INTO pauses VALUES (NEW.attempts, extract(epoch FROM NEW.run_at - now()) * 1000); RETURN NEW; END $$;
                 CREATE TRIGGER note BEFORE UPDATE ON jobs FOR EACH ROW WHEN (NEW.lease_id IS NULL AND NEW.died_at IS NULL) EXECUTE FUNCTION note()";
    sqlx::raw_sql(watch).execute(fixture.stores.pool()).await.unwrap();
    let policy = LeasePolicy { first_pause: Duration::from_millis(100), ..quick() };
    let replica = fixture.replica(policy, 8, async |_| Err(Failure::retry("no luck")));
    fixture.enqueue(&(0..30).map(|number| job(&number.to_string())).collect::<Vec<_>>()).await;
    fixture
        .until("all jobs are dead", "SELECT count(*) = 30 FROM jobs WHERE died_at IS NOT NULL AND attempts = 5 AND last_error = 'no luck'")
        .await;
    for (attempt, bound) in [(1, 100), (2, 200), (3, 400), (4, 800)] {
        let in_bounds = format!(
            "SELECT count(*) = 30 AND min(pause) >= 0 AND min(pause) < {bound} / 2 AND max(pause) > {bound} / 2 AND max(pause) <= {bound}
             FROM pauses WHERE attempt = {attempt}"
        );
        assert!(fixture.holds(&in_bounds).await, "attempt {attempt}");
    }
    assert!(fixture.holds("SELECT count(*) = 120 FROM pauses").await);
    replica.until_attempts(&[("retry", 120), ("dead", 30)]).await;
}

#[tokio::test]
async fn a_failed_job_waits_as_long_as_the_called_service_requested() {
    let fixture = Fixture::new().await;
    let after = Some(Duration::from_hours(1));
    let replica = fixture.replica(quick(), 1, move |_| async move { Err(Failure::Retry { reason: "busy\0".to_owned(), after }) });
    fixture.enqueue(&[job("patient")]).await;
    replica.until_attempts(&[("retry", 1)]).await;
    let waits = "SELECT attempts = 1 AND last_error = 'busy' AND lease_id IS NULL AND run_at > now() + interval '59 minutes' FROM jobs";
    assert!(fixture.holds(waits).await);
}

#[tokio::test]
async fn a_job_is_given_up_in_the_transaction_that_makes_it_a_dead_letter() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(quick(), 1, async |work: Work| {
        drop(work.begin().await?);
        Err(Failure::Permanent("cannot be".to_owned()))
    });
    fixture.enqueue(&[job("hopeless")]).await;
    replica.until_attempts(&[("dead", 1)]).await;
    // Rows that were last written by the same transaction have the same xmin.
    let together =
        "SELECT count(*) = 1 AND bool_and(jobs.xmin = given_up.xmin AND reason = 'cannot be' AND last_error = reason AND attempts = 1)
                    FROM jobs, given_up WHERE died_at IS NOT NULL AND name = 'hopeless'";
    assert!(fixture.holds(together).await);
    assert_eq!(fixture.effects().await.len(), 0);
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_the_worker_continues() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(quick(), 1, async |work: Work| {
        assert!(work.attempt().await > 2, "on purpose");
        work.effect().await
    });
    fixture.enqueue(&[job("brave"), job("bold")]).await;
    fixture.until_done().await;
    assert_eq!(fixture.effects().await.len(), 2);
    replica.until_attempts(&[("retry", 4), ("success", 2)]).await;
}

#[tokio::test]
async fn an_attempt_that_hangs_is_ended() {
    let fixture = Fixture::new().await;
    let policy = LeasePolicy { attempt: Duration::from_secs(2), ..quick() };
    let replica = fixture.replica(policy, 1, async |work: Work| {
        if work.attempt().await == 1 {
            std::future::pending::<()>().await;
        }
        work.effect().await
    });
    fixture.enqueue(&[job("hangs once")]).await;
    fixture.until_done().await;
    assert_eq!(fixture.effects().await, ["hangs once"]);
    assert!(replica.attempts("retry") >= 1.0);
}

#[tokio::test]
async fn a_job_of_an_unknown_kind_is_left_to_replicas_that_know_the_kind() {
    let fixture = Fixture::new().await;
    fixture.stores.execute("INSERT INTO jobs (kind, payload, lane) VALUES ('of_tomorrow', '{}', 'lane')").await;
    fixture.enqueue(&[job("behind it").in_lane("lane"), job("beside it")]).await;
    let replica = fixture.replica(quick(), 2, effect);
    replica.until_attempts(&[("success", 1)]).await;
    fixture.enqueue(&[job("later")]).await;
    replica.until_attempts(&[("success", 2)]).await;
    assert_eq!(fixture.effects().await, ["beside it", "later"]);
    assert!(fixture.holds("SELECT count(*) = 2 AND bool_and(attempts = 0 AND lease_id IS NULL) FROM jobs WHERE lane = 'lane'").await);
}

#[tokio::test]
async fn a_stopping_replica_waits_for_running_jobs() {
    let fixture = Fixture::new().await;
    let gate = Gate::closed();
    let replica = fixture.replica(quick(), 1, gate.then_effect());
    fixture.enqueue(&[job("running"), job("waiting")]).await;
    gate.reached().await;
    let ending = async {
        fixture.until("the job still runs", "SELECT count(*) = 1 FROM jobs WHERE lease_id IS NOT NULL").await;
        gate.pass_one();
    };
    tokio::join!(replica.leave(Duration::from_mins(1)), ending);
    assert_eq!(fixture.effects().await, ["running"]);
    assert!(
        fixture.holds("SELECT count(*) = 1 AND bool_and(attempts = 0 AND lease_id IS NULL) FROM jobs").await,
        "the replica must take no other job"
    );
}

#[tokio::test]
async fn a_stopping_replica_releases_unfinished_jobs_and_their_attempts_do_not_count() {
    let fixture = Fixture::new().await;
    let leaving = fixture.replica(quick(), 3, async |work: Work| {
        // The transaction completes the job but is still open when the attempt is aborted.
        let mut tx = work.begin().await?;
        work.job.complete(&mut tx).await?;
        std::future::pending().await
    });
    fixture.enqueue(&[job("one"), job("two"), job("three")]).await;
    let idle = "SELECT count(*) = 3 FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'";
    fixture.until("all three attempts have an open transaction", idle).await;
    leaving.leave(Duration::ZERO).await;
    assert!(fixture.holds("SELECT count(*) = 3 AND bool_and(attempts = 0 AND lease_id IS NULL) FROM jobs").await);
    leaving.until_attempts(&[("lost", 3)]).await;
    let _other = fixture.replica(quick(), 3, effect);
    fixture.until_done().await;
    assert_eq!(fixture.effects().await.into_iter().collect::<BTreeSet<_>>().len(), 3);
    assert!(fixture.holds("SELECT count(*) = 3 AND bool_and(attempt = 1) FROM effects").await);
}

#[tokio::test]
async fn every_attempt_is_counted_once_by_its_outcome() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(quick(), 2, async |work: Work| match (work.name.as_str(), work.attempt().await) {
        ("dies", _) => Err(Failure::Permanent("cannot be".to_owned())),
        ("tries", 1..=2) => Err(Failure::retry("not yet")),
        _ => work.effect().await,
    });
    let other = NewJob::new(JobKind::EnvironmentReconcile, &json!({ "name": "other" }));
    fixture.enqueue(&[job("dies"), job("tries"), job("works"), other]).await;
    replica.until_attempts(&[("success", 3), ("retry", 2), ("dead", 1)]).await;
    let scrape = replica.scrape();
    let grown = scrape.grown(&Scrape::parse(""), "jobs_total");
    let expected = [
        ("kind=environment_change,outcome=dead", 1.0),
        ("kind=environment_change,outcome=retry", 2.0),
        ("kind=environment_change,outcome=success", 2.0),
        ("kind=environment_reconcile,outcome=success", 1.0),
    ];
    assert_eq!(grown.iter().map(|(series, count)| (series.as_str(), *count)).collect::<Vec<_>>(), expected);
    assert_eq!(scrape.get("job_duration_seconds_count", &[("kind", "environment_change")]), 5.0);
    assert_eq!(scrape.get("job_duration_seconds_count", &[("kind", "environment_reconcile")]), 1.0);
}

#[tokio::test]
async fn the_fleet_reports_unfinished_jobs_and_the_age_of_the_oldest_due_job() {
    let fixture = Fixture::new().await;
    let exporter = Exporter::default();
    let metrics = exporter.metrics();
    let report = async || {
        jobs::report(&mut fixture.db.acquire().await.unwrap(), &metrics).await.unwrap();
        let scrape = Scrape::parse(&exporter.render());
        let pending = |kind: JobKind| scrape.get("jobs_pending", &[("kind", kind.name())]);
        (pending(JobKind::EnvironmentChange), pending(JobKind::EnvironmentReconcile), scrape.get("jobs_oldest_due_seconds", &[]))
    };
    assert_eq!(report().await, (0.0, 0.0, 0.0));
    let other = NewJob::new(JobKind::EnvironmentReconcile, &json!({}));
    fixture.enqueue(&[job("running"), job("waiting"), job("dead"), job("to come"), other]).await;
    let age = async |change: &str, name: &str| {
        let update = format!("UPDATE jobs SET {change} WHERE payload ->> 'name' = '{name}'");
        sqlx::query(AssertSqlSafe(update)).execute(fixture.stores.pool()).await.unwrap();
    };
    age("run_at = now() - interval '3 hours', lease_id = gen_random_uuid(), lease_until = now() + interval '1 hour'", "running").await;
    age("run_at = now() - interval '1 hour'", "waiting").await;
    age("run_at = now() - interval '9 hours', died_at = now() - interval '29 days'", "dead").await;
    age("run_at = now() + interval '1 hour'", "to come").await;
    let (changes, reconciles, oldest) = report().await;
    assert_eq!((changes, reconciles), (3.0, 1.0));
    assert!((3600.0..7200.0).contains(&oldest), "{oldest}");
    age("lease_until = now() - interval '1 second'", "running").await;
    assert!((10_800.0..14_400.0).contains(&report().await.2), "a job with an expired lease must count as waiting");
    assert!(fixture.holds("SELECT count(*) = 1 FROM jobs WHERE died_at IS NOT NULL").await);
    age("died_at = now() - interval '31 days'", "dead").await;
    report().await;
    assert!(fixture.holds("SELECT count(*) = 0 FROM jobs WHERE died_at IS NOT NULL").await, "a dead letter must be deleted after 30 days");
    jobs::report_nothing(&metrics);
    let scrape = Scrape::parse(&exporter.render());
    assert_eq!((scrape.get("jobs_pending", &[]), scrape.get("jobs_oldest_due_seconds", &[])), (0.0, 0.0));
}
