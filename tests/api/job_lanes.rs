//! Lanes and unique keys. The jobs of a lane run one at a time and in order. At most one job of a unique key waits or runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use vitrine::jobs::Failure;
use vitrine::metrics::labels::Query;

use crate::support::jobs::{Fixture, Gate, Work, effect, job, quick};
use crate::support::{eventually, when};

#[tokio::test]
async fn a_dead_job_blocks_neither_its_lane_nor_its_unique_key() {
    let fixture = Fixture::new().await;
    let of_both = |name: &str| job(name).in_lane("lane").unique("key");
    let replica = fixture.replica(quick(), 1, async |work: Work| match work.name.as_str() {
        "dies" => Err(Failure::Permanent("cannot be".to_owned())),
        _ => work.effect().await,
    });
    fixture.enqueue(&[of_both("dies"), job("behind it").in_lane("lane")]).await;
    fixture.until_done().await;
    fixture.enqueue(&[of_both("of its key")]).await;
    fixture.until_done().await;
    assert_eq!(fixture.effects().await, ["behind it", "of its key"]);
    replica.until_attempts(&[("dead", 1), ("success", 2)]).await;
}

#[tokio::test]
async fn a_later_job_of_a_lane_is_not_written_before_an_earlier_one_is_committed() {
    let fixture = Fixture::new().await;
    let _replica = fixture.replica(quick(), 4, effect);
    let mut first = fixture.db.begin().await.unwrap();
    fixture.queue.enqueue(&mut first, &job("first").in_lane("lane")).await.unwrap();
    let second = [job("second").in_lane("lane")];
    let in_order = async {
        let waits = "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
        fixture.until("the second job waits for the first", waits).await;
        fixture.enqueue(&[job("of another lane").in_lane("other"), job("of no lane")]).await;
        eventually("jobs outside the lane do not wait", async || when(fixture.effects().await.len() == 2)).await;
        first.commit().await.unwrap();
    };
    tokio::join!(fixture.enqueue(&second), in_order);
    fixture.until_done().await;
    assert_eq!(fixture.effects().await[2..], ["first", "second"]);
}

/// The number of running jobs of each lane, and the largest number of concurrent jobs in a lane.
#[derive(Default)]
struct Watch {
    running: Mutex<BTreeMap<String, usize>>,
    most: AtomicUsize,
}

impl Watch {
    fn enter(&self, lane: &str) {
        let mut running = self.running.lock().unwrap();
        let here = running.entry(lane.to_owned()).or_default();
        *here += 1;
        self.most.fetch_max(*here, Ordering::Relaxed);
    }

    fn exit(&self, lane: &str) {
        *self.running.lock().unwrap().get_mut(lane).unwrap() -= 1;
    }
}

#[tokio::test]
async fn jobs_of_a_lane_run_in_the_order_of_their_commits_and_one_at_a_time() {
    let fixture = Fixture::new().await;
    // A trigger records the id of each enqueued job, for comparison with the order of the effects.
    let note = "CREATE TABLE written (id bigint, lane text, name text);
                CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    INSERT INTO written VALUES (NEW.id, NEW.lane, NEW.payload ->> 'name'); RETURN NEW; END $$;
                CREATE TRIGGER note AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION note()";
    sqlx::raw_sql(note).execute(fixture.stores.pool()).await.unwrap();
    let watch = Arc::new(Watch::default());
    let _replicas = [(); 3].map(|()| {
        let watch = watch.clone();
        fixture.replica(quick(), 4, move |work| {
            let watch = watch.clone();
            async move {
                let lane = work.name.split('/').next().unwrap().to_owned();
                let fails = work.attempt().await < 4 && rand::random_bool(0.1);
                watch.enter(&lane);
                let tx = work.begin().await;
                // Exits before the commit, because the next job of the lane may start as soon as the commit takes effect.
                watch.exit(&lane);
                let mut tx = tx?;
                if fails {
                    return Err(Failure::retry("no luck"));
                }
                work.job.complete(&mut tx).await?;
                Ok(tx.commit().await?)
            }
        })
    });
    // Five writers, each writing to every lane, so that several enqueue to a lane at the same time.
    join_all((0..5).map(async |writer| {
        for number in 0..4 {
            for lane in 0..8 {
                let mut tx = fixture.db.begin().await.unwrap();
                let job = job(&format!("{lane}/{writer}/{number}")).in_lane(lane.to_string());
                fixture.queue.enqueue(&mut tx, &job).await.unwrap();
                // Some transactions commit slowly.
                let slow = sqlx::query("SELECT pg_sleep(greatest(0, random() - 0.8) / 5)");
                tx.execute(Query::SelectJobs, slow).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
    }))
    .await;
    fixture.until_done().await;
    let in_order = "SELECT count(*) = 160 AND bool_and(id > before) IS TRUE FROM (
                        SELECT w.id, coalesce(lag(w.id) OVER (PARTITION BY w.lane ORDER BY e.id), 0) AS before
                        FROM effects e JOIN written w USING (name)) pairs";
    assert!(fixture.holds(in_order).await);
    assert_eq!(watch.most.load(Ordering::Relaxed), 1, "a lane must never run two jobs at once");
}

#[tokio::test]
async fn a_new_job_of_a_lane_does_not_wait_for_the_pause_of_an_earlier_one() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(quick(), 1, async |work: Work| match work.attempt().await {
        1 if work.name == "fails" => Err(Failure::Retry { reason: "not yet".to_owned(), after: Some(Duration::from_hours(1)) }),
        _ => work.effect().await,
    });
    fixture.enqueue(&[job("fails").in_lane("lane"), job("elsewhere").in_lane("other")]).await;
    replica.until_attempts(&[("retry", 1), ("success", 1)]).await;
    fixture.enqueue(&[job("follows").in_lane("lane")]).await;
    fixture.until_done().await;
    assert_eq!(fixture.effects().await, ["elsewhere", "fails", "follows"]);
}

#[tokio::test]
async fn at_most_one_job_of_a_unique_key_waits_or_runs() {
    let fixture = Fixture::new().await;
    let unique = |name: &str| job(name).unique("key");
    fixture.enqueue(&[unique("first"), unique("while it waits")]).await;
    let gate = Gate::closed();
    let _replica = fixture.replica(quick(), 4, gate.then_effect());
    gate.reached().await;
    fixture.enqueue(&[unique("while it runs")]).await;
    gate.open();
    fixture.until_done().await;
    fixture.enqueue(&[unique("after it")]).await;
    fixture.until_done().await;
    assert_eq!(fixture.effects().await, ["first", "after it"]);
}

#[tokio::test]
async fn the_transaction_that_ends_a_job_may_enqueue_one_with_the_same_key_and_lane() {
    let fixture = Fixture::new().await;
    let again = |name: &str| job(name).unique("key").in_lane("lane");
    let _replica = fixture.replica(quick(), 2, move |work: Work| async move {
        let mut tx = work.begin().await?;
        work.job.complete(&mut tx).await?;
        if work.name != "+++" {
            work.queue.enqueue(&mut tx, &again(&format!("{}+", work.name))).await?;
        }
        tx.commit().await?;
        work.queue.wake();
        Ok(())
    });
    fixture.enqueue(&[again("")]).await;
    fixture.until_done().await;
    assert_eq!(fixture.effects().await, ["", "+", "++", "+++"]);
}
