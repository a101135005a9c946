//! Jobs while replicas are killed or frozen, or Postgres fails: no job is lost, and no effect happens twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use vitrine::db::{Conn, StoreError};
use vitrine::jobs::{Failure, Handler, Job, LeasePolicy};
use vitrine::metrics::labels::{JobKind, Query};

use crate::support::jobs::{Fixture, Gate, LONG_TIMEOUTS, Replica, Work, effect, job, quick, short_lease};
use crate::support::{Mode, Stores, eventually, when};

#[tokio::test]
async fn another_replica_takes_over_the_jobs_of_a_killed_replica() {
    let fixture = Fixture::new().await;
    let gate = Gate::closed();
    let mut killed = fixture.replica(short_lease(), 1, gate.then_effect());
    fixture.enqueue(&[job("first").in_lane("lane"), job("second").in_lane("lane")]).await;
    gate.reached().await;
    let _other = fixture.replica(short_lease(), 2, effect);
    killed.kill();
    fixture.until_done().await;
    assert_eq!(fixture.effects().await, ["first", "second"]);
    assert!(
        fixture.holds("SELECT min(attempt) >= 2 FROM effects WHERE name = 'first'").await,
        "the attempt of the killed replica must count"
    );
}

#[tokio::test]
async fn a_job_that_kills_every_replica_is_given_up_and_its_lane_continues() {
    let fixture = Fixture::new().await;
    fixture.enqueue(&[job("deadly").in_lane("lane"), job("behind it").in_lane("lane")]).await;
    // Simulates five attempts whose replicas died.
    fixture.stores.execute("UPDATE jobs SET attempts = 5, lease_id = gen_random_uuid(), lease_until = now() WHERE id = 1").await;
    let replica = fixture.replica(quick(), 1, async |work: Work| {
        assert_ne!(work.name, "deadly", "the job must not be tried again");
        work.effect().await
    });
    replica.until_attempts(&[("dead", 1), ("success", 1)]).await;
    assert!(fixture.holds("SELECT count(*) = 1 FROM given_up WHERE name = 'deadly'").await);
}

#[tokio::test]
async fn a_frozen_replica_cannot_complete_a_job_that_another_replica_has_taken_over() {
    let fixture = Fixture::new().await;
    let (gate, answers) = (Gate::closed(), Arc::new(Mutex::new(Vec::new())));
    let frozen = fixture.replica(short_lease(), 1, {
        let (gate, answers) = (gate.clone(), answers.clone());
        move |work: Work| {
            let (gate, answers) = (gate.clone(), answers.clone());
            async move {
                // A separate task writes the effect, because the replica aborts this handler when it notices the lost lease.
                let ended = tokio::spawn(async move {
                    gate.pass().await;
                    let answer = work.effect().await;
                    answers.lock().unwrap().push(answer);
                });
                ended.await.unwrap();
                Ok(())
            }
        }
    });
    fixture.enqueue(&[job("once")]).await;
    gate.reached().await;
    let thaw = frozen.freeze().await;
    let _other = fixture.replica(short_lease(), 1, effect);
    fixture.until_done().await;
    drop(thaw);
    gate.open();
    let answer = eventually("the frozen replica has tried to complete the job", async || answers.lock().unwrap().pop()).await;
    assert!(matches!(answer, Err(Failure::LeaseLost)), "{answer:?}");
    frozen.until_attempts(&[("lost", 1)]).await;
    assert_eq!(fixture.effects().await, ["once"]);
}

#[tokio::test]
async fn a_job_is_taken_over_from_a_replica_that_froze_before_its_commit() {
    let fixture = Fixture::new().await;
    let gate = Gate::closed();
    let frozen = fixture.replica(short_lease(), 1, {
        let gate = gate.clone();
        move |work: Work| {
            let gate = gate.clone();
            async move {
                let mut tx = work.begin().await?;
                work.job.complete(&mut tx).await?;
                gate.pass().await;
                tx.commit().await?;
                Ok(())
            }
        }
    });
    fixture.enqueue(&[job("once")]).await;
    gate.reached().await;
    let thaw = frozen.freeze().await;
    let other = fixture.replica(short_lease(), 1, effect);
    fixture.until_done().await;
    gate.open();
    drop(thaw);
    frozen.until_attempts(&[("lost", 1)]).await;
    other.until_attempts(&[("success", 1)]).await;
    assert_eq!(fixture.effects().await, ["once"]);
}

/// A handler whose attempts fail permanently. Its `give_up` calls the given function, which may panic, and then returns an error.
struct FailsToGiveUp(fn());

#[async_trait]
impl Handler for FailsToGiveUp {
    async fn run(&self, _: &Job) -> Result<(), Failure> {
        Err(Failure::Permanent("cannot be".to_owned()))
    }

    async fn give_up(&self, _: &Job, _: &mut Conn, _: &str) -> Result<(), StoreError> {
        (self.0)();
        Err(StoreError::Contended)
    }
}

#[tokio::test]
async fn a_job_whose_give_up_keeps_failing_becomes_a_dead_letter() {
    let fixture = Fixture::new().await;
    fixture.enqueue(&[job("panics").in_lane("panics"), job("fails").in_lane("fails")]).await;
    fixture.stores.execute("UPDATE jobs SET kind = 'extension_change' WHERE lane = 'fails'").await;
    // Simulates seven attempts. The eighth and the ninth call `give_up`; the tenth makes the job a dead letter without this call.
    fixture.stores.execute("UPDATE jobs SET attempts = 7").await;
    let replica = Replica::start(&fixture.stores, &LONG_TIMEOUTS, short_lease(), 2, |_, _| {
        vec![
            (JobKind::EnvironmentChange, Arc::new(FailsToGiveUp(|| panic!("on purpose")))),
            (JobKind::ExtensionChange, Arc::new(FailsToGiveUp(|| {}))),
        ]
    });
    replica.until_attempts(&[("lost", 4), ("dead", 2)]).await;
    assert!(fixture.holds("SELECT count(*) = 2 AND bool_and(died_at IS NOT NULL AND attempts = 10) FROM jobs").await);
}

/// A handler whose first two attempts at a job fail, and whose `put_back` records the reason. Each run first replaces the lease of the
/// job named `stolen`, as if another replica had leased the job.
struct FailsTwice(Stores);

#[async_trait]
impl Handler for FailsTwice {
    async fn run(&self, job: &Job) -> Result<(), Failure> {
        self.0.execute("UPDATE jobs SET lease_id = gen_random_uuid() WHERE payload ->> 'name' = 'stolen'").await;
        if job.attempt() < 3 { Err(Failure::retry("not yet")) } else { Ok(()) }
    }

    async fn put_back(&self, job: &Job, tx: &mut Conn, reason: &str) -> Result<(), StoreError> {
        let name = job.payload::<serde_json::Value>().unwrap()["name"].as_str().unwrap().to_owned();
        let insert = sqlx::query("INSERT INTO given_up (name, reason) VALUES ($1, $2)").bind(name).bind(reason.to_owned());
        tx.execute(Query::InsertJobs, insert).await.map(drop)
    }

    async fn give_up(&self, _: &Job, _: &mut Conn, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn only_the_replica_with_the_lease_records_the_reason_for_a_retry() {
    let fixture = Fixture::new().await;
    fixture.enqueue(&[job("waits"), job("stolen")]).await;
    let handler = Arc::new(FailsTwice(fixture.stores.clone()));
    let replica = Replica::start(&fixture.stores, &LONG_TIMEOUTS, quick(), 2, |_, _| vec![(JobKind::EnvironmentChange, handler)]);
    replica.until_attempts(&[("retry", 2), ("success", 1), ("lost", 1)]).await;
    assert!(fixture.holds("SELECT count(*) = 2 AND bool_and(name = 'waits' AND reason = 'not yet') FROM given_up").await);
}

#[tokio::test]
async fn jobs_continue_when_postgres_recovers() {
    for mode in [Mode::Refuse, Mode::Hang] {
        let fixture = Fixture::new().await;
        let postgres = fixture.proxy(Mode::Pass).await;
        let gate = Gate::closed();
        let replica = fixture.replica_with(&postgres.arguments, short_lease(), 2, gate.then_effect());
        fixture.enqueue(&[job("under way")]).await;
        gate.reached().await;
        postgres.set(mode).await;
        fixture.enqueue(&[job("written meanwhile")]).await;
        // The replica cannot renew the lease, so the lease expires.
        replica.until_attempts(&[("lost", 1)]).await;
        postgres.set(Mode::Pass).await;
        gate.open();
        fixture.until_done().await;
        let mut effects = fixture.effects().await;
        effects.sort();
        assert_eq!(effects, ["under way", "written meanwhile"]);
    }
}

#[tokio::test]
async fn a_short_failure_of_postgres_aborts_no_job() {
    let fixture = Fixture::new().await;
    let (postgres, gate) = (fixture.proxy(Mode::Pass).await, Gate::closed());
    let policy = LeasePolicy { lease: Duration::from_secs(10), ..quick() };
    let replica = fixture.replica_with(&postgres.arguments, policy, 2, gate.then_effect());
    fixture.enqueue(&[job("under way")]).await;
    gate.reached().await;
    postgres.set(Mode::Refuse).await;
    fixture.until("a renewal has failed", "SELECT lease_until < now() + interval '6 seconds' FROM jobs").await;
    postgres.set(Mode::Pass).await;
    fixture.until("the lease is renewed", "SELECT lease_until > now() + interval '8 seconds' FROM jobs").await;
    gate.open();
    replica.until_attempts(&[("success", 1)]).await;
    assert!(fixture.holds("SELECT count(*) = 1 AND bool_and(attempt = 1) FROM effects").await);
}

#[tokio::test]
async fn an_unconfirmed_lease_does_not_count_as_an_attempt() {
    let fixture = Fixture::new().await;
    // The proxy holds back the reply to the statement that leases a job. `UPDATE 1` is the completion tag of this reply.
    let postgres = fixture.proxy(Mode::HoldAnswersWith(b"UPDATE 1\0".to_vec())).await;
    fixture.enqueue(&[job("unconfirmed lease")]).await;
    let replica = fixture.replica_with(&postgres.arguments, quick(), 2, effect);
    postgres.until_holding().await;
    assert!(fixture.holds("SELECT lease_id IS NOT NULL AND attempts = 1 FROM jobs").await);
    postgres.lose();
    postgres.set(Mode::Pass).await;
    fixture.until_done().await;
    assert!(fixture.holds("SELECT count(*) = 1 AND bool_and(attempt = 1) FROM effects").await);
    replica.until_attempts(&[("success", 1)]).await;
}

#[tokio::test]
async fn an_effect_whose_commit_is_unconfirmed_happens_once() {
    let fixture = Fixture::new().await;
    let postgres = fixture.proxy(Mode::HoldAnswersWith(b"COMMIT\0".to_vec())).await;
    let replica = fixture.replica_with(&postgres.arguments, quick(), 2, effect);
    fixture.enqueue(&[job("once")]).await;
    replica.until_attempts(&[("success", 1)]).await;
    assert_eq!(fixture.effects().await, ["once"]);
    assert_eq!(replica.scrape().get("jobs_total", &[]), 1.0);
}

#[tokio::test]
async fn a_replica_shuts_down_in_time_when_postgres_hangs() {
    let fixture = Fixture::new().await;
    let postgres = fixture.proxy(Mode::Pass).await;
    let gate = Gate::closed();
    let replica = fixture.replica_with(&postgres.arguments, short_lease(), 2, gate.then_effect());
    fixture.enqueue(&[job("under way")]).await;
    gate.reached().await;
    postgres.set(Mode::Hang).await;
    replica.leave(Duration::ZERO).await;
    let _other = fixture.replica(short_lease(), 1, effect);
    fixture.until_done().await;
    assert_eq!(fixture.effects().await, ["under way"]);
    eventually("the aborted attempt is counted", async || when(replica.attempts("lost") == 1.0)).await;
}
